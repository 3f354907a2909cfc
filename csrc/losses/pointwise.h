/* The losses of one row, in double, for any finite score: nothing overflows, and a loss or gradient
 * near zero keeps its relative accuracy. s: score or scores, t: target after label smoothing. */
#ifndef FASTFM_NUMERICS_H
#define FASTFM_NUMERICS_H

#include <math.h>

#include "base/common.h"

/* 1 / (1 + exp(-s)) */
FORCE_INLINE double sigmoid(double s)
{
    const double e = exp(-fabs(s));
    return (s >= 0 ? 1 : e) / (1 + e);
}

/* max(s, 0) - s t + log1p(exp(-|s|)), and sigmoid(s) - t, with u = 1 - t:
 * neither takes 1 from nearly 1. */
FORCE_INLINE double logistic_loss(double s, double t, double u, double *gradient)
{
    const double e = exp(-fabs(s)), tail = e / (1 + e);
    *gradient = s >= 0 ? u - tail : tail - t;
    return fabs(s) * (s >= 0 ? u : t) + log1p(e);
}

FORCE_INLINE double squared_loss(double s, double y, double *gradient)
{
    *gradient = s - y;
    return 0.5 * (s - y) * (s - y);
}

/* exp(s_c - max s) of n scores into e, which may not be NULL; returns their sum but for the largest
 * score's own, which is 1 and stands at *top. logsumexp(s) = s[*top] + log1p(returned sum). */
FORCE_INLINE double softmax_terms(const void *scores, fastfm_type real, int64_t first, int64_t n,
                                  double *e, int64_t *top)
{
    double rest = 0;
    *top = 0;
    for (int64_t c = 1; c < n; c++)
        if (real_at(scores, real, first + c) > real_at(scores, real, first + *top))
            *top = c;
    for (int64_t c = 0; c < n; c++) {
        e[c] = exp(real_at(scores, real, first + c) - real_at(scores, real, first + *top));
        rest += c == *top ? 0 : e[c];
    }
    return rest;
}

#endif
