#include "learner.h"

#include <math.h>
#include <stdlib.h>

fastfm_solver solver_of(fastfm_rule rule)
{
    static const double rates[] = {0.001, 0.1, 0.01, 0.1};
    fastfm_solver solver = {.rule = rule, .learning_rate = rates[rule], .batch_size = 1};
    solver.beta1 = rule == FASTFM_FTRL ? 1 : 0.75;
    solver.beta2 = 0.875;
    solver.epsilon = 1e-6;
    solver.initial_accumulator = 0.5;
    solver.clip = INFINITY;
    return solver;
}

static void *copied(const void *array, int64_t n, int64_t size)
{
    void *copy = exactly(n, size);
    if (n > 0)
        memcpy(copy, array, (size_t)(n * size));
    return copy;
}

/* Entries of w0, w or V. */
static int64_t n_entries(const fastfm_model *m, int which)
{
    const int64_t n = m->n_outputs * m->n_features;
    return which == 0 ? m->n_outputs : which == 1 ? n : n * model_block(m);
}

static void **array_of(fastfm_state *state, int which)
{
    return which == 0 ? &state->w0 : which == 1 ? &state->w : &state->V;
}

/* State s for the parameters `wide`: AdaGrad's sums start with initial_accumulator, FTRL's z where the
 * parameters follow from it. */
static void *state_array(const learner *L, int s, int which, const double *wide)
{
    const int64_t n = n_entries(&L->m.c, which);
    const fastfm_type real = L->m.c.real;
    const fastfm_rule rule = L->solver.rule;
    const double l2 = which == 0 ? 0 : which == 1 ? L->solver.l2_linear : L->solver.l2_factors;
    void *state = exactly(n, type_size(real));
    for (int64_t i = 0; i < n; i++)
        set_real(state, real, i,
                 rule == FASTFM_ADAGRAD ? L->solver.initial_accumulator
                 : rule == FASTFM_FTRL && s == 0
                     ? -wide[i] * (L->solver.beta1 / L->solver.learning_rate + l2)
                     : 0);
    return state;
}

learner learner_new(const problem *P, const fastfm_solver *options, int with_scale)
{
    learner L = {.m = P->m, .solver = *options, .bad_row = -1};
    const fastfm_model *m = &P->m.c;
    const int64_t real = type_size(m->real);
    const double *wide[] = {P->m.w0, P->m.w, P->m.V};
    L.m.c.w0 = copied(m->w0, n_entries(m, 0), real);
    L.m.c.w = copied(m->w, n_entries(m, 1), real);
    L.m.c.V = copied(m->V, n_entries(m, 2), real);
    L.m.w0 = (double *)copied(P->m.w0, n_entries(m, 0), 8);
    L.m.w = (double *)copied(P->m.w, n_entries(m, 1), 8);
    L.m.V = (double *)copied(P->m.V, n_entries(m, 2), 8);
    if (m->fields)
        L.m.c.fields = (const int32_t *)copied(m->fields, m->n_features, 4);
    for (int s = 0; s < fastfm_rule_n_states(options->rule); s++)
        for (int which = 0; which < 3; which++)
            *array_of(&L.solver.state[s], which) = state_array(&L, s, which, wide[which]);
    if (with_scale) {
        L.solver.scale = exactly(m->n_features, real);
        for (int64_t j = 0; j < m->n_features; j++)
            set_real(L.solver.scale, m->real, j, 1);
    }
    return L;
}

void learner_free(learner *L)
{
    for (int s = 0; s < 2; s++)
        for (int which = 0; which < 3; which++)
            free(*array_of(&L->solver.state[s], which));
    free(L->solver.scale);
    model_free(&L->m);
}

void learner_pass(learner *L, const problem *P, const int64_t *rows, int64_t n_rows,
                  int num_threads)
{
    int64_t *order = (int64_t *)copied(rows, n_rows, 8);
    L->status = fastfm_train(&P->X, order, n_rows, &L->m.c, &P->loss, &P->targets, &L->solver,
                             &L->total, num_threads, &L->bad_row);
    free(order);
}

int same_learners(const learner *a, const learner *b)
{
    const fastfm_model *m = &a->m.c;
    const int64_t real = type_size(m->real);
    learner x = *a, y = *b;
    int same = CHECK(same_bytes(&a->total, &b->total, 8)) &
               CHECK(a->solver.n_steps == b->solver.n_steps) &
               CHECK(same_bytes(m->w0, b->m.c.w0, n_entries(m, 0) * real)) &
               CHECK(same_bytes(m->w, b->m.c.w, n_entries(m, 1) * real)) &
               CHECK(same_bytes(m->V, b->m.c.V, n_entries(m, 2) * real));
    for (int s = 0; s < fastfm_rule_n_states(a->solver.rule); s++)
        for (int which = 0; which < 3; which++)
            same &=
                CHECK(same_bytes(*array_of(&x.solver.state[s], which),
                                 *array_of(&y.solver.state[s], which), n_entries(m, which) * real));
    if (a->solver.scale)
        same &= CHECK(same_bytes(a->solver.scale, b->solver.scale, m->n_features * real));
    return same;
}

static int all_finite(const void *values, fastfm_type real, int64_t n)
{
    int finite = 1;
    for (int64_t i = 0; i < n; i++)
        finite &= isfinite(get_real(values, real, i)) != 0;
    return finite;
}

int learner_is_finite(const learner *L)
{
    const fastfm_model *m = &L->m.c;
    learner x = *L;
    int finite = CHECK(all_finite(m->w0, m->real, n_entries(m, 0))) &
                 CHECK(all_finite(m->w, m->real, n_entries(m, 1))) &
                 CHECK(all_finite(m->V, m->real, n_entries(m, 2)));
    for (int s = 0; s < fastfm_rule_n_states(L->solver.rule); s++)
        for (int which = 0; which < 3; which++)
            finite &= CHECK(
                all_finite(*array_of(&x.solver.state[s], which), m->real, n_entries(m, which)));
    if (L->solver.scale)
        finite &= CHECK(all_finite(L->solver.scale, m->real, m->n_features));
    return finite;
}

void learner_widen(learner *L)
{
    const fastfm_model *m = &L->m.c;
    for (int64_t i = 0; i < n_entries(m, 0); i++)
        L->m.w0[i] = get_real(m->w0, m->real, i);
    for (int64_t i = 0; i < n_entries(m, 1); i++)
        L->m.w[i] = get_real(m->w, m->real, i);
    for (int64_t i = 0; i < n_entries(m, 2); i++)
        L->m.V[i] = get_real(m->V, m->real, i);
}

matrix matrix_large_values(int64_t n_features)
{
    matrix m = matrix_mixed_rows(n_features);
    for (int64_t p = 0; p < m.nnz; p++)
        m.values[p] *= m.indices[p] % 3 == 0 ? 4 : 1;
    return m;
}
