/* Shares of the features, one for each thread, for gradients that are added row by row: ranges of
 * features that hold about equally much work. Any division gives the same bits, because a feature's
 * sum is made by the one thread that owns it, in row order. */
#ifndef FASTFM_FEATURE_SHARES_H
#define FASTFM_FEATURE_SHARES_H

#include "base/common.h"

/* Sets share_begin (n_shares + 1,): share s has features [share_begin[s], share_begin[s + 1]).
 *
 * X: indptr has been checked, indices have not. sample: scratch of FEATURE_SAMPLE numbers. */
#define FEATURE_SAMPLE 4096
void divide_features(const fastfm_csr *X, int64_t n_features, int64_t n_shares, int64_t *sample,
                     int64_t *share_begin);

#endif
