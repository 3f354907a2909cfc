/* A batch of rows on its way through fastfm_train, and the memory for it.
 *
 * Words, beside those of kernels/update/batch.h:
 *   source   the caller's X, from which the rows come
 *   view     the batch as kernels see it; view.rows is its own copy of its rows
 *   carve    to divide an arena into arrays (base/arena.h): each carve_... function is called twice, to
 *            measure and to place
 *
 * There are two allocations: that of the batch, which lasts for all batches of a call, and that of
 * the threads, which grows when a row block or partition needs more. */
#ifndef FASTFM_BATCH_H
#define FASTFM_BATCH_H

#include "base/arena.h"
#include "base/parallel.h"
#include "rows/workspace.h"

#define MAX_PARTITION_BITS 8 /* log2 of the most partitions */

/* A batch, from batch_open to batch_close. Between them batch_take_rows fills it again and again. */
typedef struct {
    batch_view view;
    const fastfm_csr *source;
    const fastfm_targets *targets; /* of the source's rows */
    double weight_sum;             /* by which gradients are divided */
    const fastfm_loss *loss;
    const int64_t *row_numbers; /* (n_rows,) where the batch's rows are in the source; NULL: from */
    int64_t first_row;          /* this row on, one after the other */
    int64_t n_rows, n_weighted; /* rows; those of them whose weight is not zero */
    workspace work;             /* for the checks, and for the faults that threads report */
    int n_threads;
    int sorts_by_share; /* whether this is a gradient of an FM whose values are sorted by share */
    int64_t max_rows, max_values; /* what the arrays have room for */
    int64_t cut_values;           /* the most values of a batch of more than one row */
    double *losses;               /* (n_rows,) times weight */
    double *row_gradients;        /* (n_rows, C) loss gradients in double, for w0 */
    thread_local_data *local;     /* (n_threads,) */
    void *thread_memory;          /* what `local` points into */
    int64_t thread_bytes;
    void *memory; /* what all other arrays point into */
} training_batch;

/* Whether the gradient of a model has its values sorted by share. To sort takes longer than to let one or two
 * threads walk all rows. */
FORCE_INLINE int sorts_by_share(const fastfm_model *model, int n_threads)
{
    return !model->fields && n_threads > 2;
}

/* Checks indptr of X and allocates for batches of at most n_rows of its rows. OK, BAD_INDPTR with
 * its row, or NO_MEMORY; only after OK is there something to close. */
fastfm_status batch_open(training_batch *batch, const fastfm_csr *X, const fastfm_model *model,
                         const fastfm_loss *loss, const fastfm_targets *targets,
                         const fastfm_solver *solver, int64_t n_rows, int n_threads,
                         int64_t *bad_row);
void batch_close(training_batch *batch);

/* The row of the source that is row i of the batch. */
FORCE_INLINE int64_t source_row(const training_batch *batch, int64_t i)
{
    return batch->row_numbers ? batch->row_numbers[i] : batch->first_row + i;
}

/* Makes a batch of as many of the n rows as there is room for, at least one, and splits it into row
 * blocks. Their values are not copied yet. Row numbers, or, if they are NULL, consecutive rows from
 * first_row on. OK, BAD_ROW with a row number outside X, or NO_MEMORY. */
fastfm_status batch_take_rows(training_batch *batch, const int64_t *row_numbers, int64_t first_row,
                              int64_t n, int64_t *bad_row);

/* The same for the sorted gradient of an FM, whose rows are consecutive and need no indptr in the batch: one
 * thread does not go through all of them while the others wait. */
void batch_take_range(training_batch *batch, int64_t first_row, int64_t n);

/* Copies the values of a row block from the source: divided as the model says, and with repeated columns
 * summed if sums_repeats. */
void batch_copy_block(const training_batch *batch, int64_t block, int sums_repeats, int thread);

/* ------------------------------------------------------------------------------- batch_memory.c */

/* Sets the number of partitions by the number of values, and by that alone. */
void choose_partition_bits(training_batch *batch);

/* Numbers from one row of grad_V to the next; whole cache lines in an FFM. */
int64_t accumulator_stride(const fastfm_model *model);

/* Carves n accumulators. */
void carve_accumulators(const fastfm_model *model, gradient_accumulators *accumulators,
                        arena *memory, int64_t n);

/* Gives every thread memory for any row block (FFM) and, once they are sorted, any partition of the
 * batch. What the threads had there is lost. OK or NO_MEMORY. */
fastfm_status reserve_thread_memory(training_batch *batch, int is_sorted);

/* FFM: sets accumulator_begin so that each partition has room for all its features. */
void place_accumulators(training_batch *batch);

#endif
