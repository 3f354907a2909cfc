/* fastfm_train on what it must refuse: the right status and row, what was learned before it and
 * nothing else, finite parameters, and no access outside any array. */
#include <math.h>
#include <stdlib.h>

#include "learner.h"
#include "reference.h"
#include "tests.h"

#define N_ROWS 30
#define SPOILED_CASES 800

static int64_t row_begin(const problem *P, int64_t i)
{
    return get_index(P->X.indptr, P->X.index_type, i);
}

static double weight_of(const problem *P, int64_t i)
{
    return P->targets.weight ? P->targets.weight[i] : 1;
}

static kind random_kind(void)
{
    const int64_t k[] = {1, 5, 17, 40};
    return (kind){random_below(2) ? FASTFM_F64 : FASTFM_F32,
                  random_below(2) ? FASTFM_F64 : FASTFM_F32,
                  random_below(2) ? FASTFM_I64 : FASTFM_I32,
                  k[random_below(COUNT(k))],
                  random_below(2) ? 3 : 1,
                  random_below(2) ? 5 : 0};
}

static fastfm_solver random_solver(void)
{
    static const int64_t batch_sizes[] = {1, 7, N_ROWS, INT64_MAX};
    fastfm_solver options = solver_of((fastfm_rule)random_below(4));
    options.batch_size = batch_sizes[random_below(COUNT(batch_sizes))];
    options.l2_factors = random_below(2) ? 0.02 : 0;
    options.l2_in_scale = random_below(2) == 0;
    options.scale_is_fixed = random_below(4) == 0;
    return options;
}

/* Rows in random order; the fault is at one place of the order. */
typedef struct {
    problem P;
    fastfm_solver options;
    int with_scale;
    int64_t order[N_ROWS], place, row;
} faulty;

static faulty faulty_new(const char *name, int64_t test)
{
    matrix rows = matrix_equal_rows(N_ROWS, 9, 50);
    faulty F = {.options = random_solver(), .with_scale = random_below(2) == 0};
    F.P = problem_new(&rows, random_kind());
    for (int64_t i = 0; i < N_ROWS; i++) { /* Fisher and Yates, inside out */
        const int64_t other = random_below(i + 1);
        F.order[i] = F.order[other];
        F.order[other] = i;
    }
    do
        F.place = random_below(N_ROWS);
    while (weight_of(&F.P, F.order[F.place]) <= 0);
    F.row = F.order[F.place];
    fastfm_use_level((int)random_below(fastfm_n_levels()));
    CASE("%s %d: rule %d, fields %d, real f%d, k %d, outputs %d, loss %d, batch %lld, place %d",
         name, (int)test, (int)F.options.rule, (int)F.P.m.c.n_fields,
         (int)type_size(F.P.m.c.real) * 8, (int)F.P.m.c.n_factors, (int)F.P.m.c.n_outputs,
         (int)F.P.loss.kind, (long long)F.options.batch_size, (int)F.place);
    matrix_free(&rows);
    return F;
}

static int64_t batch_begin(const faulty *F) { return F->place - F->place % F->options.batch_size; }

/* Whether the rows are refused like this, with all batches before learned and no other. */
static void check_refused(const faulty *F, fastfm_status status, int64_t bad_row)
{
    for (int num_threads = 1; num_threads <= 3; num_threads += 2) {
        learner L = learner_new(&F->P, &F->options, F->with_scale);
        learner before = learner_new(&F->P, &F->options, F->with_scale);
        learner_pass(&L, &F->P, F->order, N_ROWS, num_threads);
        CHECK(L.status == status && L.bad_row == bad_row);
        learner_pass(&before, &F->P, F->order, batch_begin(F), 1);
        CHECK(before.status == FASTFM_OK);
        same_learners(&L, &before);
        learner_is_finite(&L);
        learner_free(&L);
        learner_free(&before);
    }
}

static void test_bad_row(int64_t test)
{
    static const int64_t bad[] = {-1, N_ROWS, INT64_MIN, INT64_MAX, INT64_C(1) << 32};
    faulty F = faulty_new("row number", test);
    F.order[F.place] = bad[test % COUNT(bad)];
    check_refused(&F, FASTFM_BAD_ROW, F.order[F.place]);
    problem_free(&F.P);
}

static void test_bad_label(int64_t test)
{
    static const double bad[] = {3, -1, 0.5, NAN, INFINITY};
    faulty F = faulty_new("label", test);
    double *y = (double *)exactly(N_ROWS, 8);
    for (int64_t i = 0; i < N_ROWS; i++)
        y[i] = target_value(F.P.targets.y, F.P.targets.y_type, i);
    y[F.row] = F.P.loss.kind == FASTFM_SQUARED ? bad[3 + test % 2] : bad[test % COUNT(bad)];
    free((void *)(uintptr_t)F.P.targets.y);
    F.P.targets.y = y;
    F.P.targets.y_type = FASTFM_F64;
    check_refused(&F, FASTFM_BAD_LABEL, F.row);
    problem_free(&F.P);
}

static void test_bad_column(int64_t test)
{
    static const int64_t bad[] = {-1, 50, INT32_MIN, INT32_MAX};
    faulty F = faulty_new("column", test);
    void *indices = (void *)(uintptr_t)F.P.X.indices;
    const int64_t first = row_begin(&F.P, F.row), has_repeats = test % 5 > 2;
    if (has_repeats) /* which hide nothing: in this row, or in all */
        for (int64_t i = test % 5 == 3 ? F.row : 0; i < (test % 5 == 3 ? F.row + 1 : N_ROWS); i++)
            set_index(indices, F.P.X.index_type, row_begin(&F.P, i) + 7,
                      get_index(indices, F.P.X.index_type, row_begin(&F.P, i) + 6));
    set_index(indices, F.P.X.index_type, first + random_below(9), bad[test % COUNT(bad)]);
    check_refused(&F, FASTFM_BAD_INDEX, F.row);
    problem_free(&F.P);
}

/* Whether one pass, with other threads and at another level the same, ends with OK or as diverged in the
 * faulty batch or later. Parameters are finite. */
static fastfm_status check_diverges(const faulty *F)
{
    learner L = learner_new(&F->P, &F->options, F->with_scale);
    learner other = learner_new(&F->P, &F->options, F->with_scale);
    const fastfm_status status = (learner_pass(&L, &F->P, F->order, N_ROWS, 1), L.status);
    int64_t place = -1;
    fastfm_use_level((int)random_below(fastfm_n_levels()));
    learner_pass(&other, &F->P, F->order, N_ROWS, 3);
    CHECK(status == FASTFM_OK || status == FASTFM_DIVERGED);
    for (int64_t i = 0; i < N_ROWS; i++)
        place = F->order[i] == L.bad_row ? i : place;
    CHECK(status == FASTFM_OK || place >= batch_begin(F));
    CHECK(status == other.status && L.bad_row == other.bad_row);
    learner_is_finite(&L);
    same_learners(&L, &other);
    learner_free(&L);
    learner_free(&other);
    return status;
}

/* In an FFM other rows of the batch may have been learned from. */
static void test_nan(int64_t test)
{
    faulty F = faulty_new("nan", test);
    set_real((void *)(uintptr_t)F.P.X.data, F.P.X.data_type,
             row_begin(&F.P, F.row) + random_below(9), NAN);
    if (F.P.m.c.fields)
        CHECK(check_diverges(&F) == FASTFM_DIVERGED);
    else
        check_refused(&F, FASTFM_DIVERGED, F.row);
    problem_free(&F.P);
}

/* Infinite, or such that sums or squares overflow: diverges in that batch, or after it where the
 * parameters became huge, or not at all. */
static void test_huge(int64_t test)
{
    static const double huge[] = {INFINITY, -INFINITY, 1e300, -1e160, 3e38, 1e20, 1e-300, 5e-324};
    faulty F = faulty_new("huge value", test);
    F.P.m.c.normalization = random_below(4) ? FASTFM_AS_IS : FASTFM_INSTANCE;
    set_real((void *)(uintptr_t)F.P.X.data, F.P.X.data_type,
             row_begin(&F.P, F.row) + random_below(9), huge[test % COUNT(huge)]);
    CHECK(check_diverges(&F) == FASTFM_DIVERGED || test % COUNT(huge) > 1);
    problem_free(&F.P);
}

/* Rows of weight zero: their values and columns are not looked at. */
static void test_absent(int64_t test)
{
    faulty F = faulty_new("absent", test);
    double *weight = (double *)exactly(N_ROWS, 8);
    learner L, before;
    for (int64_t i = 0; i < N_ROWS; i++)
        weight[i] = i == F.row ? 0 : weight_of(&F.P, i);
    free((void *)(uintptr_t)F.P.targets.weight);
    F.P.targets.weight = weight;
    before = learner_new(&F.P, &F.options, F.with_scale);
    learner_pass(&before, &F.P, F.order, N_ROWS, 1);
    for (int64_t p = row_begin(&F.P, F.row); p < row_begin(&F.P, F.row + 1); p++) {
        set_real((void *)(uintptr_t)F.P.X.data, F.P.X.data_type, p, p % 2 ? NAN : INFINITY);
        set_index((void *)(uintptr_t)F.P.X.indices, F.P.X.index_type, p, p % 3 ? INT32_MIN : 50);
    }
    L = learner_new(&F.P, &F.options, F.with_scale);
    learner_pass(&L, &F.P, F.order, N_ROWS, 1);
    CHECK(L.status == FASTFM_OK && before.status == FASTFM_OK);
    same_learners(&L, &before);
    learner_free(&L);
    learner_free(&before);
    problem_free(&F.P);
}

/* Steps so long that parameters run away: also then the same bits. */
static void test_long_steps(int64_t test)
{
    faulty F = faulty_new("long steps", test);
    learner L, other;
    F.options.learning_rate = test % 2 ? 1e30 : 100;
    F.options.l2_linear = test % 3 ? 0 : 1e3;
    L = learner_new(&F.P, &F.options, F.with_scale);
    other = learner_new(&F.P, &F.options, F.with_scale);
    for (int pass = 0; pass < 4; pass++) {
        fastfm_use_level(0);
        learner_pass(&L, &F.P, F.order, N_ROWS, 1);
        fastfm_use_level(pass % fastfm_n_levels());
        learner_pass(&other, &F.P, F.order, N_ROWS, 3);
        CHECK(L.status == FASTFM_OK || L.status == FASTFM_DIVERGED);
        CHECK(L.status == other.status && L.bad_row == other.bad_row);
        learner_is_finite(&L);
        same_learners(&L, &other);
    }
    learner_free(&L);
    learner_free(&other);
    problem_free(&F.P);
}

/* What fastfm_check must say of row i by itself. */
static fastfm_status status_of_row(const problem *P, int64_t i)
{
    const int64_t bytes = type_size(P->X.index_type);
    int64_t bad_row;
    int has_repeats;
    fastfm_csr row = P->X;
    row.n_rows = 1;
    row.indptr = (const char *)P->X.indptr + i * bytes;
    return reference_check(&row, P->m.c.n_features, &has_repeats, &bad_row);
}

/* Any rows of a spoiled matrix: what is said of a row is true, and silence too. */
static void check_spoiled(const problem *P, const learner *L, const int64_t *order, int64_t n)
{
    int64_t bad_row, is_in_order = 0, n_bad = 0;
    int has_repeats;
    const fastfm_status whole = reference_check(&P->X, P->m.c.n_features, &has_repeats, &bad_row);
    learner_is_finite(L);
    if (whole == FASTFM_BAD_INDPTR || L->status == FASTFM_BAD_INDPTR) {
        CHECK(L->status == whole && L->bad_row == bad_row);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const int is_absent = weight_of(P, order[i]) <= 0;
        is_in_order |= order[i] == L->bad_row;
        n_bad += !is_absent && status_of_row(P, order[i]) != FASTFM_OK;
    }
    CHECK(L->status == FASTFM_OK || is_in_order);
    CHECK(L->status != FASTFM_OK || n_bad == 0);
    CHECK(L->status == FASTFM_OK || L->status == FASTFM_DIVERGED ||
          status_of_row(P, L->bad_row) == L->status);
}

static void test_spoiled(int64_t test, int64_t n_rows, int64_t z, int num_threads)
{
    matrix m = matrix_equal_rows(n_rows, z, 60);
    const int64_t n = n_rows + random_below(20);
    int64_t *order = (int64_t *)exactly(n, 8);
    const fastfm_solver options = random_solver();
    kind type = random_kind();
    problem P;
    learner L, other;
    for (int64_t i = 0; i < n; i++)
        order[i] = random_below(n_rows);
    P = problem_new(&m, type);
    csr_free(&P.X);
    matrix_spoil(&m);
    P.X = csr_of(&m, type.index, type.data);
    if (test % 2 == 1) /* not with a scale */
        P.m.c.normalization = (fastfm_normalization)random_below(type.n_fields ? 2 : 3);
    fastfm_use_level((int)random_below(fastfm_n_levels()));
    CASE("spoiled %d: rule %d, fields %d, real f%d, data f%d, k %d, batch %lld", (int)test,
         (int)options.rule, (int)type.n_fields, (int)type_size(type.real) * 8,
         (int)type_size(type.data) * 8, (int)type.k, (long long)options.batch_size);
    L = learner_new(&P, &options, test % 2 == 0);
    other = learner_new(&P, &options, test % 2 == 0);
    learner_pass(&L, &P, order, n, 1);
    check_spoiled(&P, &L, order, n);
    learner_pass(&other, &P, order, n, num_threads);
    CHECK(L.status == other.status && L.bad_row == other.bad_row);
    same_learners(&L, &other);
    learner_free(&L);
    learner_free(&other);
    free(order);
    problem_free(&P);
    matrix_free(&m);
}

void test_train_hostile(void)
{
    random_state = 6;
    for (int64_t test = 0; test < 120; test++) {
        test_bad_row(test);
        test_bad_label(test);
        test_bad_column(test);
        test_nan(test);
        test_absent(test);
        test_long_steps(test);
    }
    for (int64_t test = 0; test < 240; test++)
        test_huge(test);
    for (int64_t test = 0; test < SPOILED_CASES; test++)
        test_spoiled(test, 1 + random_below(9), random_below(20), 2);
    for (int64_t test = 0; test < 40; test++)
        test_spoiled(test, 400, 20, 3);
}
