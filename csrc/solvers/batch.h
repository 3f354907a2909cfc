/* A batch of rows on its way through fastfm_train, and the memory for it. */
#ifndef FASTFM_BATCH_H
#define FASTFM_BATCH_H

#include "base/arena.h"
#include "base/parallel.h"
#include "rows/workspace.h"

typedef struct {
    batch_data b;
    const fastfm_csr *X; /* where the rows come from */
    const fastfm_targets *targets;
    const fastfm_loss *loss;
    double weight_sum; /* by which gradients are divided */
    const int64_t *rows;        /* of the batch: places in X */
    int64_t n_rows, n_weighted; /* weighted: those whose weight is not zero */
    workspace work;
    int n_threads;
    int64_t max_rows, max_values; /* room */
    int64_t *block_begin;         /* (n_blocks + 1,) rows */
    double *losses, *row_gradients;
    thread_data *own; /* one for each thread */
    void *own_memory;
    int64_t own_bytes;
    void *memory;
} training_batch;

/* Allocates for batches of at most n_rows of X's rows. */
fastfm_status batch_open(training_batch *batch, const fastfm_csr *X, const fastfm_model *model,
                         const fastfm_loss *loss, const fastfm_targets *targets,
                         const fastfm_solver *solver, int64_t n_rows, int n_threads,
                         int64_t *bad_row);
void batch_close(training_batch *batch);

/* Takes as many of the n rows as there is room for, at least one, and lays them out in blocks. */
fastfm_status batch_take(training_batch *batch, const int64_t *rows, int64_t n, int64_t *bad_row);

/* Copies the rows of a block into the batch, as copy_prepared_row does. */
void batch_copy_block(const training_batch *batch, int64_t block, int sums_repeats, int thread);

/* Deals the batch's features to parts. */
#define MAX_PART_BITS 8 /* log2 of the most parts */
void batch_deal_features(training_batch *batch);

/* Places sums for n slots. Those of V are grad_stride apart, in an FFM whole lines. */
void batch_lay_out_sums(const fastfm_model *model, gradient_sums *sums, arena *memory, int64_t n);
int64_t batch_grad_stride(const fastfm_model *model);

/* Makes room for what threads have of the batch's blocks, if it is an FFM's, and, once these are sorted,
 * of its parts. */
fastfm_status batch_make_room(training_batch *batch, int is_sorted);

/* FFM: gives each part as many slots as its features may need. */
void batch_place_slots(training_batch *batch);

#endif
