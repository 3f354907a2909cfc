/* Batch after batch of rows, each in phases that the threads share. Training and gradients both go this
 * way: a gradient is an epoch whose rule (FASTFM_SUM) only adds to the caller's arrays.
 *
 * Words:
 *   phase   row blocks or partitions that threads share; batch_run.c lists the phases of a batch
 *   hook    a function of the driver that one thread calls between two phases, while no other works */
#ifndef FASTFM_BATCH_RUN_H
#define FASTFM_BATCH_RUN_H

#include "solvers/batch.h"

typedef enum { BEFORE_ALL, BEFORE_BATCH, LOADING, ASSIGNING, SCORING, UPDATING } batch_phase;

typedef struct batch_run {
    training_batch batch; /* opened and closed by the caller */
    const int64_t *rows;  /* (n_rows,) rows of X, in the order in which they are taken; NULL: all */
    int64_t n_rows, batch_size;
    int64_t begin;        /* the present batch begins at rows[begin]; 0 at first */
    fastfm_status status; /* OK at first; the fault that ends the run */
    int64_t bad_row;      /* of that fault: a row of X */
    batch_phase phase;    /* the one under way; BEFORE_ALL at first */
    /* A phase before the first batch, of n_before_all blocks; 0 for none. Its context is the run. */
    parallel_block before_all;
    int64_t n_before_all;
    /* Hooks. before_batch: before rows are taken; may be NULL. after_batch: when all phases are done;
     * batch->losses and row_gradients are complete, but a parameter may not have been finite. */
    void (*before_batch)(struct batch_run *run);
    void (*after_batch)(struct batch_run *run);
    void *context; /* of the hooks */
} batch_run;

/* Goes through all rows. Returns OK, or the fault of the first batch that has one, whose first row at
 * fault is then in run->bad_row. */
fastfm_status batch_run_all(batch_run *run);

#endif
