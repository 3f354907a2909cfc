/* Hashes of results that must have the same bits on all platforms: those that did not go through
 * the platform's exp, log1p or pow. Scores and gradients of rows that had to be prepared, divided or
 * summed, have one of their own. */
#ifndef FASTFM_TEST_HASHES_H
#define FASTFM_TEST_HASHES_H

#include "learner.h"

void hash_scores(const problem *P, const outputs *out, int is_prepared);
void hash_gradients(const problem *P, const outputs *out, int is_prepared); /* of squared losses */
void hash_learner(const problem *P, const learner *L); /* likewise, but for Adam */
void hash_columns(const fastfm_model *m);              /* parameters after sweeps and samples */
void hash_text(const char *bytes, int64_t n_bytes);
void print_hashes(void);

#endif
