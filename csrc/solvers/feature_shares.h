/* Shares of the features, for gradients of an FM that are added row by row: ranges of features that hold
 * about equally much work. Any division gives the same bits, because a feature's sum is made by the
 * one thread that works on its share, in row order. */
#ifndef FASTFM_FEATURE_SHARES_H
#define FASTFM_FEATURE_SHARES_H

#include "kernels/update/batch.h"

/* Divides the features of X into n_shares <= MAX_SHARES. X: indptr has been checked, indices have not.
 * sample: scratch of 2 * FEATURE_SAMPLE numbers. */
#define FEATURE_SAMPLE 4096
void divide_features(const fastfm_csr *X, int64_t n_features, int64_t n_shares, int64_t *sample,
                     feature_shares *shares);

#endif
