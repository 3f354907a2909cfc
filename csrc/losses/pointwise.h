/* The losses of one row, in double, for any finite score: nothing overflows, and a loss or a
 * gradient near zero keeps its relative accuracy.
 *
 * A loss is one function <name>_loss and one line of FASTFM_LOSS_LIST (fastfm.h). Its parameters:
 *   scores, real  an array of float32 or float64 scores
 *   first, n      the row's scores are [first, first + n) of it; n is n_outputs
 *   target        a target that the loss takes
 *   eps           the label smoothing, in [0, 1); 0 for a loss that has none
 *   gradient      (n,) takes d loss / d score; may not be NULL
 * It returns the loss. */
#ifndef FASTFM_POINTWISE_H
#define FASTFM_POINTWISE_H

#include <math.h>

#include "base/common.h"

/* -------------------------------------------------------------------------------------- targets */

/* is_<targets>_target: whether a loss with these targets takes one. All refuse NaN. */
FORCE_INLINE int is_finite_target(double target, int64_t n_outputs)
{
    (void)n_outputs;
    return isfinite(target);
}

FORCE_INLINE int is_binary_target(double target, int64_t n_outputs)
{
    (void)n_outputs;
    return target == 0 || target == 1;
}

FORCE_INLINE int is_class_target(double target, int64_t n_outputs)
{
    return target >= 0 && target < (double)n_outputs && target == floor(target);
}

/* --------------------------------------------------------------------------------------- losses */

/* (s - y)^2 / 2, and s - y. */
FORCE_INLINE double squared_loss(const void *scores, fastfm_type real, int64_t first, int64_t n,
                                 double target, double eps, double *gradient)
{
    const double s = real_at(scores, real, first);
    (void)n, (void)eps;
    *gradient = s - target;
    return 0.5 * (s - target) * (s - target);
}

/* With t = y (1 - eps) + eps / 2 and u = 1 - t:
 *
 *     max(s, 0) - s t + log1p(exp(-|s|)),     and sigmoid(s) - t
 *
 * t and u are eps / 2 and 1 - eps / 2, or the other way round, so that nothing is taken from 1. */
FORCE_INLINE double logistic_loss(const void *scores, fastfm_type real, int64_t first, int64_t n,
                                  double target, double eps, double *gradient)
{
    const double s = real_at(scores, real, first);
    const double t = target == 1 ? 1 - eps / 2 : eps / 2, u = target == 1 ? eps / 2 : 1 - eps / 2;
    const double e = exp(-fabs(s)), tail = e / (1 + e);
    (void)n;
    *gradient = s >= 0 ? u - tail : tail - t;
    return fabs(s) * (s >= 0 ? u : t) + log1p(e);
}

/* Writes exp(s_c - max s) of n scores to e, which may not be NULL, and the number of a largest
 * score to *top. Returns the sum of e except that score's own, which is 1; so
 * logsumexp(s) = s[*top] + log1p(returned sum). */
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

/* logsumexp(s) - sum_c t_c s_c, and softmax(s)_c - t_c, where t_c is 1 - eps for the target's class
 * and eps / (n - 1) for the others. */
FORCE_INLINE double softmax_loss(const void *scores, fastfm_type real, int64_t first, int64_t n,
                                 double target, double eps, double *gradient)
{
    const int64_t label = (int64_t)target;
    const double other = n > 1 ? eps / (double)(n - 1) : 0;
    int64_t top;
    const double rest = softmax_terms(scores, real, first, n, gradient, &top);
    const double highest = real_at(scores, real, first + top);
    double value = log1p(rest), others = 0;
    for (int64_t c = 0; c < n; c++) {
        const double t = c == label ? 1 - eps : other;
        if (t != 0)
            value += t * (highest - real_at(scores, real, first + c));
        gradient[c] /= 1 + rest;
        if (c != label) {
            others += gradient[c];
            gradient[c] -= other;
        }
    }
    gradient[label] = eps - others; /* p - (1 - eps), without taking 1 from 1 */
    return value;
}

/* -------------------------------------------------------------------------------- probabilities */

/* 1 / (1 + exp(-s)) */
FORCE_INLINE double sigmoid(double s)
{
    const double e = exp(-fabs(s));
    return (s >= 0 ? 1 : e) / (1 + e);
}

#endif
