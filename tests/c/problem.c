#include "problem.h"

#include <math.h>
#include <stdlib.h>

static const fastfm_type target_types[] = {FASTFM_F32, FASTFM_F64, FASTFM_I32, FASTFM_I64,
                                           FASTFM_U8};

static void set_target(void *y, fastfm_type type, int64_t i, double value)
{
    if (type == FASTFM_U8)
        ((uint8_t *)y)[i] = (uint8_t)value;
    else if (type == FASTFM_I32 || type == FASTFM_I64)
        set_index(y, type, i, (int64_t)value);
    else
        set_real(y, type, i, value);
}

/* Softmax for several outputs, else squared or logistic; every type of y; with and without weights.
 */
static void set_targets(problem *P)
{
    const int64_t n = P->X.n_rows, C = P->m.c.n_outputs;
    const fastfm_type y_type = target_types[random_below(COUNT(target_types))];
    void *y = exactly(n, type_size(y_type));
    double *weight = random_below(3) > 0 ? (double *)exactly(n, 8) : NULL;
    P->loss.kind = C > 1 ? FASTFM_SOFTMAX : random_below(2) ? FASTFM_LOGISTIC : FASTFM_SQUARED;
    P->loss.label_smoothing = random_below(2) ? 0.125 : 0;
    P->weight_sum = 0;
    for (int64_t i = 0; i < n; i++) {
        set_target(y, y_type, i, (double)random_below(C > 1 ? C : 2));
        if (weight)
            weight[i] = i % 4 == 3 ? 0 : (random_real() + 1) / 2;
        P->weight_sum += weight ? weight[i] : 1;
    }
    P->weight_sum = P->weight_sum > 0 ? P->weight_sum : 1;
    P->targets = (fastfm_targets){y, y_type, weight};
}

/* Draws a number for each column in use and two more, as earlier versions of this file did: so the
 * problems, and with them the hashes, are comparable with theirs. */
static void skip_numbers(const matrix *rows)
{
    char *in_use = (char *)calloc((size_t)rows->n_features + 1, 1);
    int64_t n = 2;
    for (int64_t p = rows->indptr[0]; p < rows->indptr[rows->n_rows]; p++) {
        n += !in_use[rows->indices[p]];
        in_use[rows->indices[p]] = 1;
    }
    while (n-- > 0)
        (void)random_bits();
    free(in_use);
}

kind kind_of(int64_t i, int64_t k)
{
    return (kind){i & 1 ? FASTFM_F64 : FASTFM_F32,
                  i & 2 ? FASTFM_F64 : FASTFM_F32,
                  i & 4 ? FASTFM_I64 : FASTFM_I32,
                  k,
                  i & 8 ? 3 : 1,
                  i & 16 ? 7 : 0};
}

problem problem_new(const matrix *rows, kind type)
{
    problem P;
    P.X = csr_of(rows, type.index, type.data);
    P.m = model_random(rows->n_features, type.n_fields, type.k, type.n_outputs, type.real);
    set_targets(&P);
    skip_numbers(rows);
    return P;
}

void problem_free(problem *P)
{
    csr_free(&P->X);
    model_free(&P->m);
    free((void *)(uintptr_t)P->targets.y);
    free((void *)(uintptr_t)P->targets.weight);
}

double start_value(int64_t row, int64_t entry)
{
    return (double)((row * 7 + entry * 3) % 16 - 8) / 16;
}

/* n_features rows of `block` entries for each output. */
static void *start_gradient(const problem *P, int64_t block)
{
    const int64_t C = P->m.c.n_outputs, n = P->m.c.n_features * C * block;
    void *gradient = exactly(n, type_size(P->m.c.real));
    for (int64_t i = 0; i < n; i++)
        set_real(gradient, P->m.c.real, i, start_value(i / block / C, i % block));
    return gradient;
}

outputs outputs_start(const problem *P)
{
    const fastfm_model *m = &P->m.c;
    outputs out = {.total = START_TOTAL, .total_alone = START_TOTAL};
    out.scores = exactly(P->X.n_rows * m->n_outputs, type_size(m->real));
    out.w0 = (double *)exactly(m->n_outputs, 8);
    out.w = start_gradient(P, 1);
    out.V = start_gradient(P, model_block(m));
    for (int64_t c = 0; c < m->n_outputs; c++)
        out.w0[c] = start_value(c, 1);
    return out;
}

outputs outputs_of(const problem *P, int num_threads)
{
    const fastfm_model *m = &P->m.c;
    outputs out = outputs_start(P);
    int64_t bad_row = -1;
    CHECK(fastfm_score(&P->X, m, out.scores, num_threads, &bad_row) == FASTFM_OK);
    CHECK(fastfm_objective(&P->X, m, &P->loss, &P->targets, &out.total_alone, num_threads,
                           &bad_row) == FASTFM_OK);
    CHECK(fastfm_gradient(&P->X, m, &P->loss, &P->targets, P->weight_sum, &out.total,
                          &(fastfm_gradient_arrays){out.w0, out.w, out.V, FASTFM_KEPT}, num_threads,
                          &bad_row) == FASTFM_OK);
    return out;
}

void outputs_free(outputs *out)
{
    free(out->scores);
    free(out->w0);
    free(out->w);
    free(out->V);
}

int same_outputs(const problem *P, const outputs *a, const outputs *b)
{
    const fastfm_model *m = &P->m.c;
    const int64_t real = type_size(m->real), C = m->n_outputs, block = model_block(m);
    return CHECK(same_bytes(a->scores, b->scores, P->X.n_rows * C * real)) &
           CHECK(same_bytes(&a->total, &b->total, 8)) &
           CHECK(same_bytes(&a->total, &b->total_alone, 8)) &
           CHECK(same_bytes(a->w0, b->w0, C * 8)) &
           CHECK(same_bytes(a->w, b->w, C * m->n_features * real)) &
           CHECK(same_bytes(a->V, b->V, C * m->n_features * block * real));
}
