/* What threads do with a batch in each phase: a function for one row block of it, or for one
 * partition of its features. The context is the training_batch.
 *
 * Contract: in a phase each block or partition is worked on once, by one thread, and all blocks of
 * the phase before are done. Faults are reported to batch->work, and the driver looks at them
 * between phases; after a fault it starts no further phase.
 * batch_run.c has the order of phases, and csrc/README.md a picture of it. */
#ifndef FASTFM_BATCH_PHASES_H
#define FASTFM_BATCH_PHASES_H

#include "solvers/batch.h"

/* FM, by row block: copies, checks and scores the rows, keeps s_f and the loss gradients, and, except for
 * FASTFM_SUM, sorts the values by partition. */
void score_and_partition_block(void *context, int64_t block, int thread);

/* FFM, by row block: copies and checks the rows, checks their labels, and sorts their features by
 * partition. */
void load_and_partition_block(void *context, int64_t block, int thread);

/* FFM, by partition: gives accumulators to the features that more than one row has. */
void assign_partition_accumulators(void *context, int64_t partition, int thread);

/* FFM, by row block: scores the rows one by one, and adds the gradients of each to the accumulators
 * of the block, or updates features that no other row has. */
void score_and_accumulate_block(void *context, int64_t block, int thread);

/* Both, by partition: sums the gradients of its features over the batch, and updates them. */
void reduce_and_update_partition(void *context, int64_t partition, int thread);

/* FM, FASTFM_SUM, by row block, if values are sorted by share: checks and scores the rows, keeps s_f and the
 * loss gradients, and sorts the values. */
void score_and_share_block(void *context, int64_t block, int thread);

/* FM, FASTFM_SUM, by share of the features (feature_shares.h): adds the gradients of all rows to the
 * rows of grad_w and grad_V that belong to these features. */
void add_gradient_share(void *context, int64_t share, int thread);

/* Both, by the thread that ends the batch: updates w0. It is never penalised, its x is 1 in every row, and
 * its gradients are summed in double and in row order. */
void update_bias(const training_batch *batch);

#endif
