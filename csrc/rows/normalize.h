#ifndef FASTFM_NORMALIZE_H
#define FASTFM_NORMALIZE_H

#include "base/common.h"

/* fastfm_normalize for one row of n values; data may be values. linear_scale: of XLEARN only. */
void normalize_row(fastfm_normalization how, const void *values, fastfm_type type, int64_t n,
                   void *data, fastfm_type data_type, double *linear_scale);

#endif
