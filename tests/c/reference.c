#include "reference.h"

#include <math.h>

/* x as the kernels see it: rounded to the model's type. */
static double entry(const fastfm_csr *X, const model *m, int64_t p)
{
    const double x = get_real(X->data, X->data_type, p);
    return m->c.real == FASTFM_F32 ? (double)(float)x : x;
}

/* Where, in a feature's row of V, the factors stand that it uses against the feature of value q. */
static int64_t against(const fastfm_csr *X, const model *m, int64_t q)
{
    return m->c.fields ? m->c.fields[get_index(X->indices, X->index_type, q)] * m->c.n_factors : 0;
}

/* What the feature of value p uses against that of value q, in output c. */
static const double *factors(const fastfm_csr *X, const model *m, int64_t c, int64_t p, int64_t q)
{
    const int64_t j = get_index(X->indices, X->index_type, p);
    return m->V + (j * m->c.n_outputs + c) * model_block(&m->c) + against(X, m, q);
}

static void add(sum *total, double term)
{
    total->value += term;
    total->magnitude += fabs(term);
}

sum reference_score(const fastfm_csr *X, const model *m, int64_t i, int64_t c)
{
    const int64_t first = get_index(X->indptr, X->index_type, i);
    const int64_t last = get_index(X->indptr, X->index_type, i + 1);
    sum total = {0, 0};
    add(&total, m->w0[c]);
    for (int64_t p = first; p < last; p++) {
        const double x = entry(X, m, p);
        add(&total, m->w[get_index(X->indices, X->index_type, p) * m->c.n_outputs + c] * x);
        for (int64_t q = first; q <= p; q++) {
            const double *v_p = factors(X, m, c, p, q), *v_q = factors(X, m, c, q, p);
            for (int64_t f = 0; f < m->c.n_factors; f++) {
                const double term = v_p[f] * v_q[f] * x * entry(X, m, q);
                if (p == q) /* added and taken away again by the fast formula */
                    total.magnitude += fabs(term);
                else
                    add(&total, term);
            }
        }
    }
    return total;
}

void reference_gradient(const fastfm_csr *X, const model *m, int64_t i, int64_t c, sum dscore,
                        sum *w, sum *V)
{
    const int64_t first = get_index(X->indptr, X->index_type, i);
    const int64_t last = get_index(X->indptr, X->index_type, i + 1);
    const double bound = fabs(dscore.value) + dscore.magnitude;
    for (int64_t p = first; p < last; p++) {
        const double x = entry(X, m, p);
        const int64_t j = get_index(X->indices, X->index_type, p) * m->c.n_outputs + c;
        w[j].value += dscore.value * x;
        w[j].magnitude += bound * fabs(x);
        for (int64_t q = first; q < last; q++) {
            const double *v_q = factors(X, m, c, q, p), xx = x * entry(X, m, q);
            sum *to = V + j * model_block(&m->c) + against(X, m, q);
            for (int64_t f = 0; f < m->c.n_factors; f++) {
                to[f].value += p == q ? 0 : dscore.value * v_q[f] * xx;
                to[f].magnitude += bound * fabs(v_q[f] * xx);
            }
        }
    }
}

static long double logistic(long double s) { return 1 / (1 + expl(-s)); }

/* sum_c exp(s_c - max s) but for the largest score's own term, 1. */
static long double rest_of_terms(const double *scores, int64_t n, int64_t *top)
{
    long double rest = 0;
    *top = 0;
    for (int64_t c = 1; c < n; c++)
        if (scores[c] > scores[*top])
            *top = c;
    for (int64_t c = 0; c < n; c++)
        rest += c == *top ? 0 : expl((long double)scores[c] - scores[*top]);
    return rest;
}

static double softmax_loss(long double eps, int64_t label, const double *scores, int64_t n,
                           double *gradient)
{
    int64_t top;
    const long double rest = rest_of_terms(scores, n, &top);
    long double value = log1pl(rest), others = 0;
    for (int64_t c = 0; c < n; c++) {
        const long double t = c == label ? 1 - eps : eps / (long double)(n - 1);
        const long double p = expl((long double)scores[c] - scores[top]) / (1 + rest);
        value += t > 0 ? t * ((long double)scores[top] - scores[c]) : 0;
        others += c == label ? 0 : p;
        gradient[c] = (double)(p - t);
    }
    gradient[label] = (double)(eps - others);
    return (double)value;
}

double reference_loss(const fastfm_loss *loss, double y, const double *scores, int64_t n_outputs,
                      double *gradient)
{
    const long double s = scores[0], t = (long double)loss->label_smoothing / 2;
    /* Turned for a positive label: then its target is t too, and no equal terms are lost. */
    const long double turned = y > 0 ? -s : s;
    if (loss->kind == FASTFM_SQUARED) {
        *gradient = (double)(s - y);
        return (double)((s - y) * (s - y) / 2);
    }
    if (loss->kind == FASTFM_SOFTMAX)
        return softmax_loss(loss->label_smoothing, (int64_t)y, scores, n_outputs, gradient);
    *gradient = (double)((logistic(turned) - t) * (y > 0 ? -1 : 1));
    return (double)((turned > 0 ? turned * (1 - t) : -turned * t) + log1pl(expl(-fabsl(s))));
}

void reference_proba(const fastfm_loss *loss, const double *scores, int64_t n_outputs,
                     double *proba)
{
    int64_t top;
    const long double rest = rest_of_terms(scores, n_outputs, &top);
    if (loss->kind == FASTFM_LOGISTIC)
        *proba = (double)logistic(scores[0]);
    for (int64_t c = 0; loss->kind == FASTFM_SOFTMAX && c < n_outputs; c++)
        proba[c] = (double)(expl((long double)scores[c] - scores[top]) / (1 + rest));
}

fastfm_status reference_check(const fastfm_csr *X, int64_t n_features, int64_t *bad_row)
{
    const fastfm_type type = X->index_type;
    fastfm_status status = FASTFM_OK;
    *bad_row = 0;
    for (int64_t i = 0; i < X->n_rows; i++) {
        const int64_t first = get_index(X->indptr, type, i),
                      last = get_index(X->indptr, type, i + 1);
        *bad_row = i;
        if (first < 0 || last < first || last > X->nnz)
            return FASTFM_BAD_INDPTR;
    }
    for (int64_t i = 0, repeated = -1; i < X->n_rows; i++) {
        for (int64_t p = get_index(X->indptr, type, i); p < get_index(X->indptr, type, i + 1);
             p++) {
            const int64_t j = get_index(X->indices, type, p);
            *bad_row = i;
            if (j < 0 || j >= n_features)
                return FASTFM_BAD_INDEX;
            for (int64_t q = get_index(X->indptr, type, i); q < p && repeated < 0; q++)
                if (get_index(X->indices, type, q) == j)
                    repeated = i;
        }
        status = repeated >= 0 ? FASTFM_REPEATED_COLUMN : FASTFM_OK;
        *bad_row = repeated;
    }
    return status;
}

double target_value(const void *y, fastfm_type type, int64_t i)
{
    if (type == FASTFM_U8)
        return ((const uint8_t *)y)[i];
    if (type == FASTFM_I32 || type == FASTFM_I64)
        return (double)get_index(y, type, i);
    return get_real(y, type, i);
}
