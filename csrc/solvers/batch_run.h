/* Batch after batch of rows, each in phases that the threads share. Training and gradients both
 * go this way: a gradient is an epoch in which the rule only sums. */
#ifndef FASTFM_BATCH_RUN_H
#define FASTFM_BATCH_RUN_H

#include "solvers/batch.h"

typedef struct batch_run {
    training_batch batch;
    const int64_t *rows; /* (n_rows,) of X, in the order in which they are taken */
    int64_t n_rows, begin, batch_size;
    fastfm_status status;
    int64_t bad_row;
    enum { BEFORE_BATCH, LOADING, LINKING, SCORING, UPDATING } phase;
    /* Called by one thread: before a batch is taken, and when all of it is done. */
    void (*start)(struct batch_run *run);
    void (*finish)(struct batch_run *run);
    void *context; /* of these two */
} batch_run;

/* Goes through the rows; the batch is open. */
fastfm_status batch_run_all(batch_run *run, int n_threads);

#endif
