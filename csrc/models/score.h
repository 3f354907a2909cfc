/* The cost of scoring, by which drivers decide how many threads pay. */
#ifndef FASTFM_SCORE_H
#define FASTFM_SCORE_H

#include "base/common.h"

/* Values of a row block. Its indices, 64 kB of int32, are still in the cache when the kernel comes
 * after the check. */
#define SCORE_BLOCK_VALUES 16384

/* Multiply-adds, roughly, to score all rows of X. */
double score_work(const fastfm_csr *X, const fastfm_model *model);

#endif
