/* What threads do with a training_batch, which is the context: with one block of its rows, or with one
 * part of its features. Faults are reported to its workspace. */
#ifndef FASTFM_LEARN_H
#define FASTFM_LEARN_H

#include "solvers/batch.h"

/* FM: copies, checks and scores the rows, and sorts their values by part. */
void learn_score_block(void *context, int64_t block, int thread);

/* FFM: copies and checks the rows, and finds their features. */
void learn_load_block(void *context, int64_t block, int thread);

/* FFM: finds which features of the part are in more than one row. */
void learn_link_part(void *context, int64_t part, int thread);

/* FFM: scores the rows one by one and sums their gradients, while V of their features is in the cache.
 * Features that are in no other row of the batch are updated, if the row is not very long. */
void learn_rows_block(void *context, int64_t block, int thread);

/* Sums what blocks have of the part, and updates its features. */
void learn_update_part(void *context, int64_t part, int thread);

/* FM, of a gradient: adds what belongs to the features of a share. */
void add_share(void *context, int64_t share, int thread);

/* Updates w0, which is never penalised, and whose value is 1 in every row. */
void learn_bias(const training_batch *batch);

#endif
