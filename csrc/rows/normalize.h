/* Rows divided by their length, as models of libffm and xLearn want them (FASTFM_INSTANCE and
 * FASTFM_XLEARN in fastfm.h). */
#ifndef FASTFM_NORMALIZE_H
#define FASTFM_NORMALIZE_H

#include "base/common.h"

/* Divides the values of one row as `normalization` says, which is not FASTFM_AS_IS.
 *
 *   values, type     (n,) the row's values; n may be 0
 *   data, data_type  (n,) takes the result; may be `values` if the types are the same
 *   linear_scale     FASTFM_XLEARN: set to |x|, by which the kernel multiplies the linear part. That
 *                    model divides by |x|^2 in the pairs and by |x| in the linear part, and a kernel
 *                    has only one x. Otherwise it is not used and may be NULL */
void normalize_row(fastfm_normalization normalization, const void *values, fastfm_type type,
                   int64_t n, void *data, fastfm_type data_type, double *linear_scale);

#endif
