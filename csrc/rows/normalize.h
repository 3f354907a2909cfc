/* Rows divided by their length, as models of other programs want them. */
#ifndef FASTFM_NORMALIZE_H
#define FASTFM_NORMALIZE_H

#include "base/common.h"

/* Writes a row's n values, divided as `normalization` says (fastfm.h), to `data`, which may be
 * `values` if the types are the same.
 *
 * linear_scale: for FASTFM_XLEARN, set to what the linear part is multiplied by; else unused.
 * Lengths are computed in units of the largest |x|, whose squares neither overflow nor vanish. */
void normalize_row(fastfm_normalization normalization, const void *values, fastfm_type type,
                   int64_t n, void *data, fastfm_type data_type, double *linear_scale);

#endif
