/* Training on rows that may lie, in any order, with any options that the interface lets through. */
#include "fuzz_core.h"

#include <stdlib.h>

#include "../tests/c/reference.h"

fastfm_solver solver_from(input *in)
{
    static const double rates[] = {1e-8, 1e-3, 0.1, 1, 100, 1e30};
    static const double penalties[] = {0, 0, 1e-3, 1, 1e6, 1e300};
    fastfm_solver solver = solver_of((fastfm_rule)input_below(in, 4));
    solver.learning_rate = rates[input_below(in, COUNT(rates))];
    solver.l1_linear = penalties[input_below(in, 4)];
    solver.l1_factors = penalties[input_below(in, 4)];
    solver.l2_linear = penalties[input_below(in, solver.rule == FASTFM_FTRL ? 5 : 6)];
    solver.l2_factors = penalties[input_below(in, solver.rule == FASTFM_FTRL ? 5 : 6)];
    solver.clip = input_below(in, 2) ? 0.5 : solver.clip;
    solver.batch_size = input_below(in, 8) ? 1 + input_below(in, 30) : INT64_MAX;
    return solver;
}

/* What fastfm_check must say of row i by itself. */
static fastfm_status status_of_row(const problem *P, int64_t i)
{
    int64_t bad_row;
    int has_repeats;
    fastfm_csr row = P->X;
    row.n_rows = 1;
    row.indptr = (const char *)P->X.indptr + i * type_size(P->X.index_type);
    return reference_check(&row, P->m.c.n_features, &has_repeats, &bad_row);
}

/* Silence about a row is true, and what is said of one too. */
static void check_status(const problem *P, const learner *L, const int64_t *order, int64_t n)
{
    int64_t bad_row;
    int has_repeats;
    const fastfm_status whole = reference_check(&P->X, P->m.c.n_features, &has_repeats, &bad_row);
    if (n == 0)
        CHECK(L->status == FASTFM_OK);
    else if (whole == FASTFM_BAD_INDPTR || L->status == FASTFM_BAD_INDPTR)
        CHECK(L->status == whole && L->bad_row == bad_row);
    else if (L->status == FASTFM_BAD_ROW)
        CHECK(L->bad_row < 0 || L->bad_row >= P->X.n_rows);
    else if (L->status == FASTFM_BAD_INDEX)
        CHECK(status_of_row(P, L->bad_row) == L->status);
    for (int64_t i = 0; i < n && L->status == FASTFM_OK; i++) {
        const int is_inside = CHECK(order[i] >= 0 && order[i] < P->X.n_rows);
        if (is_inside && (!P->targets.weight || P->targets.weight[order[i]] > 0))
            CHECK(status_of_row(P, order[i]) == FASTFM_OK);
    }
}

/* Rows that do not lie, with their repeats summed before: two passes of them give what L has. */
static void same_with_sums(const problem *P, const fastfm_solver *options, int with_scale,
                           const int64_t *order, int64_t n, const learner *L)
{
    int64_t bad_row;
    int has_repeats;
    problem summed;
    learner other;
    if (reference_check(&P->X, P->m.c.n_features, &has_repeats, &bad_row) != FASTFM_OK)
        return;
    summed = problem_with_sums(P);
    other = learner_new(&summed, options, with_scale);
    for (int pass = 0; pass < 2; pass++)
        learner_pass(&other, &summed, order, n, 1);
    CHECK(L->status == other.status);
    same_learners(L, &other);
    learner_free(&other);
    problem_with_sums_free(&summed);
}

void fuzz_train(input *in)
{
    const int num_threads = input_threads(in);
    fastfm_solver options = solver_from(in);
    problem P = problem_from(in);
    const int64_t n = input_below(in, 40), is_evil = input_below(in, 8) == 7;
    const int with_scale = (int)input_below(in, 2);
    int64_t *order = (int64_t *)exactly(n, 8);
    learner L, other;
    if (with_scale) /* the bindings learn in units of columns or normalise, not both */
        P.m.c.normalization = FASTFM_AS_IS;
    for (int64_t i = 0; i < n; i++)
        order[i] = is_evil ? input_number(in) : P.X.n_rows > 0 ? input_below(in, P.X.n_rows) : 0;
    L = learner_new(&P, &options, with_scale);
    other = learner_new(&P, &options, with_scale);
    for (int pass = 0; pass < 2; pass++) {
        learner_pass(&L, &P, order, n, num_threads);
        learner_is_finite(&L);
        check_status(&P, &L, order, n);
        learner_pass(&other, &P, order, n, 1);
        CHECK(L.status == other.status);
        CHECK(L.status == FASTFM_OK || L.bad_row == other.bad_row);
        same_learners(&L, &other);
    }
    same_with_sums(&P, &options, with_scale, order, n, &L);
    learner_free(&L);
    learner_free(&other);
    free(order);
    problem_free(&P);
}
