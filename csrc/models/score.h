/* What other drivers know of scoring: how much work it is, by which they choose the number of threads,
 * and how large its row blocks are. */
#ifndef FASTFM_SCORE_H
#define FASTFM_SCORE_H

#include "base/common.h"

/* Values of a row block of fastfm_score and fastfm_objective. Its indices, 64 kB of int32, are still in
 * L2 when the kernel reads them after the check. */
#define SCORE_BLOCK_VALUES 16384

/* Multiply-adds to score all rows of X, roughly: k for each value and output, and in an FFM as many
 * for each field that it meets. indptr may be unchecked. */
double score_work(const fastfm_csr *X, const fastfm_model *model);

#endif
