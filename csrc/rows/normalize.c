#include "rows/normalize.h"

#include <math.h>

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
