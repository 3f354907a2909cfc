/* Batch after batch of rows, each in phases that the threads share. Training and gradients both go
 * this way: a gradient is an epoch whose rule only sums. */
#ifndef FASTFM_BATCH_RUN_H
#define FASTFM_BATCH_RUN_H

#include "solvers/batch.h"

typedef struct batch_run {
    training_batch batch; /* which the caller opens and closes */
    const int64_t *rows;  /* (n_rows,) numbers of rows of X, in the order in which they are taken */
    int64_t n_rows, batch_size;
    int64_t begin; /* the present batch begins at rows[begin] */
    fastfm_status status;
    int64_t bad_row;
    enum { BEFORE_ALL, BEFORE_BATCH, LOADING, ASSIGNING, SCORING, UPDATING } phase;
    parallel_block before_all; /* a first phase of n_before_all blocks, whose context is the run */
    int64_t n_before_all;
    /* Each is called by one thread: before a batch is taken (may be NULL), and when it is done. */
    void (*start)(struct batch_run *run);
    void (*finish)(struct batch_run *run);
    void *context; /* theirs */
} batch_run;

/* Goes through all rows. Returns OK, or the first fault, whose row is then in run->bad_row. */
fastfm_status batch_run_all(batch_run *run);

#endif
