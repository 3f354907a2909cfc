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

static void set_slots(problem *P, const matrix *rows)
{
    int64_t *free_slots, n_used = 0;
    P->slots = exactly(rows->nnz, type_size(P->X.index_type));
    P->slot_of = (int64_t *)exactly(rows->n_features, 8);
    for (int64_t j = 0; j < rows->n_features; j++)
        P->slot_of[j] = -1;
    for (int64_t p = rows->indptr[0]; p < rows->indptr[rows->n_rows]; p++)
        if (P->slot_of[rows->indices[p]] < 0)
            P->slot_of[rows->indices[p]] = n_used++;
    P->n_slots = n_used + 2;
    free_slots = (int64_t *)exactly(P->n_slots, 8);
    for (int64_t s = 0; s < P->n_slots; s++) { /* a random order (Fisher and Yates, inside out) */
        const int64_t other = random_below(s + 1);
        free_slots[s] = free_slots[other];
        free_slots[other] = s;
    }
    for (int64_t j = 0; j < rows->n_features; j++)
        P->slot_of[j] = P->slot_of[j] < 0 ? -1 : free_slots[P->slot_of[j]];
    for (int64_t p = 0; p < rows->nnz; p++) {
        const int in_use = p >= rows->indptr[0] && p < rows->indptr[rows->n_rows];
        set_index(P->slots, P->X.index_type, p, in_use ? P->slot_of[rows->indices[p]] : 0);
    }
    free(free_slots);
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
    set_slots(&P, rows);
    return P;
}

void problem_free(problem *P)
{
    csr_free(&P->X);
    model_free(&P->m);
    free((void *)(uintptr_t)P->targets.y);
    free((void *)(uintptr_t)P->targets.weight);
    free(P->slots);
    free(P->slot_of);
}

double start_value(int64_t row, int64_t entry)
{
    return (double)((row * 7 + entry * 3) % 16 - 8) / 16;
}

/* n_rows rows of `block` entries for each output; a slot starts with the values of its column. */
static void *start_gradient(const problem *P, int64_t n_rows, int64_t block, int by_slot)
{
    const int64_t n = P->m.c.n_features;
    const fastfm_type real = P->m.c.real;
    void *gradient = exactly(P->m.c.n_outputs * n_rows * block, type_size(real));
    for (int64_t i = 0; i < P->m.c.n_outputs * n_rows * block; i++)
        set_real(gradient, real, i,
                 by_slot ? 0 : start_value(i / block / P->m.c.n_outputs, i % block));
    for (int64_t j = 0; by_slot && j < n; j++)
        for (int64_t c = 0; P->slot_of[j] >= 0 && c < P->m.c.n_outputs; c++)
            for (int64_t e = 0; e < block; e++)
                set_real(gradient, real, (P->slot_of[j] * P->m.c.n_outputs + c) * block + e,
                         start_value(j, e));
    return gradient;
}

static void objective(const problem *P, const fastfm_gradient *gradient, int num_threads,
                      double *total)
{
    int64_t bad_row = -1;
    *total = START_TOTAL;
    for (int64_t c = 0; gradient && c < P->m.c.n_outputs; c++)
        gradient->w0[c] = start_value(c, 1);
    CHECK(fastfm_objective(&P->X, &P->m.c, &P->loss, &P->targets, P->weight_sum, total, gradient,
                           num_threads, &bad_row) == FASTFM_OK);
}

outputs outputs_of(const problem *P, int num_threads)
{
    const fastfm_model *m = &P->m.c;
    int64_t bad_row = -1;
    outputs out;
    out.scores = exactly(P->X.n_rows * m->n_outputs, type_size(m->real));
    out.w0 = (double *)exactly(m->n_outputs, 8);
    out.slot_w0 = (double *)exactly(m->n_outputs, 8);
    out.w = start_gradient(P, m->n_features, 1, 0);
    out.V = start_gradient(P, m->n_features, model_block(m), 0);
    out.slot_w = start_gradient(P, P->n_slots, 1, 1);
    out.slot_V = start_gradient(P, P->n_slots, model_block(m), 1);
    CHECK(fastfm_score(&P->X, m, out.scores, num_threads, &bad_row) == FASTFM_OK);
    objective(P, NULL, num_threads, &out.total_alone);
    objective(P, &(fastfm_gradient){m->n_features, NULL, out.w0, out.w, out.V, 0}, num_threads,
              &out.total);
    objective(P, &(fastfm_gradient){P->n_slots, P->slots, out.slot_w0, out.slot_w, out.slot_V, 0},
              num_threads, &out.slot_total);
    return out;
}

void outputs_free(outputs *out)
{
    free(out->scores);
    free(out->w0);
    free(out->slot_w0);
    free(out->w);
    free(out->V);
    free(out->slot_w);
    free(out->slot_V);
}

int same_outputs(const problem *P, const outputs *a, const outputs *b)
{
    const fastfm_model *m = &P->m.c;
    const int64_t real = type_size(m->real), C = m->n_outputs, block = model_block(m);
    return CHECK(same_bytes(a->scores, b->scores, P->X.n_rows * C * real)) &
           CHECK(same_bytes(&a->total, &b->total, 8)) &
           CHECK(same_bytes(&a->total, &b->slot_total, 8)) &
           CHECK(same_bytes(&a->total, &b->total_alone, 8)) &
           CHECK(same_bytes(a->w0, b->w0, C * 8)) & CHECK(same_bytes(a->w0, b->slot_w0, C * 8)) &
           CHECK(same_bytes(a->w, b->w, C * m->n_features * real)) &
           CHECK(same_bytes(a->V, b->V, C * m->n_features * block * real)) &
           CHECK(same_bytes(a->slot_w, b->slot_w, C * P->n_slots * real)) &
           CHECK(same_bytes(a->slot_V, b->slot_V, C * P->n_slots * block * real));
}

static int same_rows(const problem *P, const void *dense, const void *by_slot, int64_t block)
{
    const int64_t bytes = P->m.c.n_outputs * block * type_size(P->m.c.real);
    int64_t n_unused = 0;
    int same = 1;
    for (int64_t j = 0; j < P->m.c.n_features; j++)
        same &=
            P->slot_of[j] < 0 || same_bytes((const char *)dense + j * bytes,
                                            (const char *)by_slot + P->slot_of[j] * bytes, bytes);
    for (int64_t i = 0; i < P->m.c.n_outputs * P->n_slots * block; i++)
        n_unused += same_value(get_real(by_slot, P->m.c.real, i), 0);
    return same && n_unused >= 2 * P->m.c.n_outputs * block;
}

int same_by_slot(const problem *P, const outputs *out)
{
    return CHECK(same_rows(P, out->w, out->slot_w, 1)) &
           CHECK(same_rows(P, out->V, out->slot_V, model_block(&P->m.c)));
}
