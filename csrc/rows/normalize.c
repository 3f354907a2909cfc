/* Rows divided by their length. With m the largest |x_j| of the row and q = sum_j (x_j / m)^2:
 *
 *     |x| = m sqrt(q),     x_j / |x| = x_j / m / sqrt(q)
 *
 * q lies in [1, z], so neither it nor its root overflows or vanishes, even where |x|^2 would. */
#include "rows/normalize.h"

#include <math.h>

/* A row without values other than zero (m = 0), or with NaN only, is divided by 1. */
void normalize_row(fastfm_normalization normalization, const void *values, fastfm_type type,
                   int64_t n, void *data, fastfm_type data_type, double *linear_scale)
{
    double largest = 0, squares = 0, length, divisor;
    for (int64_t p = 0; p < n; p++) { /* no fmax: gcc 12 for aarch64 fails on it */
        const double size = fabs(real_at(values, type, p));
        largest = size > largest ? size : largest;
    }
    for (int64_t p = 0; p < n && largest > 0; p++)
        squares += real_at(values, type, p) / largest * (real_at(values, type, p) / largest);
    length = largest > 0 ? largest * sqrt(squares) : 1;
    divisor = largest > 0 ? sqrt(squares) : 1;
    for (int64_t p = 0; p < n; p++) {
        const double x = real_at(values, type, p) / (largest > 0 ? largest : 1) / divisor;
        set_real(data, data_type, p, normalization == FASTFM_XLEARN ? x / length : x);
    }
    if (normalization == FASTFM_XLEARN)
        *linear_scale = length;
}
