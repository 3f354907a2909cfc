#include "reference.h"

#include <math.h>
#include <stdlib.h>

#include "repeats.h"

static double as_real(long double x, fastfm_type real)
{
    return real == FASTFM_F32 ? (double)(float)x : (double)x;
}

prepared_row reference_row(const fastfm_csr *X, const fastfm_model *m, int64_t i)
{
    const int64_t first = get_index(X->indptr, X->index_type, i);
    const int64_t last = get_index(X->indptr, X->index_type, i + 1);
    prepared_row row = {0, (int64_t *)exactly(last - first + 1, 8), NULL, NULL};
    long double squares = 0, length;
    row.x = (double *)exactly(last - first + 1, 8);
    row.linear = (double *)exactly(last - first + 1, 8);
    for (int64_t p = first; p < last; p++) {
        if (first_of_column(X, first, p) < p)
            continue;
        row.columns[row.n] = get_index(X->indices, X->index_type, p);
        row.x[row.n++] = sum_of_column(X, p, last);
    }
    for (int64_t a = 0; a < row.n; a++)
        squares += (long double)row.x[a] * row.x[a];
    length = m->normalization == FASTFM_AS_IS || !(squares > 0) ? 1 : sqrtl(squares);
    for (int64_t a = 0; a < row.n; a++) {
        row.linear[a] = as_real(row.x[a] / length, m->real);
        row.x[a] = as_real(
            row.x[a] / (m->normalization == FASTFM_XLEARN ? length * length : length), m->real);
    }
    return row;
}

void prepared_row_free(prepared_row *row)
{
    free(row->columns);
    free(row->x);
    free(row->linear);
}

/* Where, in a feature's row of V, the factors stand that it uses against feature j. */
static int64_t against(const model *m, int64_t j)
{
    return m->c.fields ? m->c.fields[j] * m->c.n_factors : 0;
}

/* What feature i uses against feature j, in output c. */
static const double *factors(const model *m, int64_t c, int64_t i, int64_t j)
{
    return m->V + (i * m->c.n_outputs + c) * model_block(&m->c) + against(m, j);
}

static void add(sum *total, double term)
{
    total->value += term;
    total->magnitude += fabs(term);
}

sum reference_score(const fastfm_csr *X, const model *m, int64_t i, int64_t c)
{
    prepared_row row = reference_row(X, &m->c, i);
    sum total = {0, 0};
    add(&total, m->w0[c]);
    for (int64_t a = 0; a < row.n; a++) {
        add(&total, m->w[row.columns[a] * m->c.n_outputs + c] * row.linear[a]);
        for (int64_t b = 0; b <= a; b++) {
            const double *v_a = factors(m, c, row.columns[a], row.columns[b]);
            const double *v_b = factors(m, c, row.columns[b], row.columns[a]);
            for (int64_t f = 0; f < m->c.n_factors; f++) {
                const double term = v_a[f] * v_b[f] * row.x[a] * row.x[b];
                if (a == b) /* added and taken away again by the fast formula */
                    total.magnitude += fabs(term);
                else
                    add(&total, term);
            }
        }
    }
    prepared_row_free(&row);
    return total;
}

void reference_gradient(const fastfm_csr *X, const model *m, int64_t i, int64_t c, sum dscore,
                        sum *w, sum *V)
{
    prepared_row row = reference_row(X, &m->c, i);
    const double bound = fabs(dscore.value) + dscore.magnitude;
    for (int64_t a = 0; a < row.n; a++) {
        const int64_t j = row.columns[a] * m->c.n_outputs + c;
        w[j].value += dscore.value * row.linear[a];
        w[j].magnitude += bound * fabs(row.linear[a]);
        for (int64_t b = 0; b < row.n; b++) {
            const double *v_b = factors(m, c, row.columns[b], row.columns[a]);
            const double xx = row.x[a] * row.x[b];
            sum *to = V + j * model_block(&m->c) + against(m, row.columns[b]);
            for (int64_t f = 0; f < m->c.n_factors; f++) {
                to[f].value += a == b ? 0 : dscore.value * v_b[f] * xx;
                to[f].magnitude += bound * fabs(v_b[f] * xx);
            }
        }
    }
    prepared_row_free(&row);
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

fastfm_status reference_check(const fastfm_csr *X, int64_t n_features, int *has_repeats,
                              int64_t *bad_row)
{
    const fastfm_type type = X->index_type;
    *bad_row = 0;
    *has_repeats = 0;
    for (int64_t i = 0; i < X->n_rows; i++) {
        const int64_t first = get_index(X->indptr, type, i),
                      last = get_index(X->indptr, type, i + 1);
        *bad_row = i;
        if (first < 0 || last < first || last > X->nnz)
            return FASTFM_BAD_INDPTR;
    }
    for (int64_t i = 0; i < X->n_rows; i++) {
        const int64_t first = get_index(X->indptr, type, i);
        for (int64_t p = first; p < get_index(X->indptr, type, i + 1); p++) {
            const int64_t j = get_index(X->indices, type, p);
            *bad_row = i;
            if (j < 0 || j >= n_features)
                return FASTFM_BAD_INDEX;
            *has_repeats |= first_of_column(X, first, p) < p;
        }
    }
    return FASTFM_OK;
}

double target_value(const void *y, fastfm_type type, int64_t i)
{
    if (type == FASTFM_U8)
        return ((const uint8_t *)y)[i];
    if (type == FASTFM_I32 || type == FASTFM_I64)
        return (double)get_index(y, type, i);
    return get_real(y, type, i);
}
