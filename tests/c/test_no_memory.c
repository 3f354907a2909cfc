/* Each allocation of every public function fails in turn: NO_MEMORY, nothing leaked (LeakSanitizer
 * looks at the end), nothing changed but what had been learned, and the next call works.
 *
 * run.sh compiles csrc with malloc and calloc renamed to those of this file. */
#include <stdlib.h>

#include "learner.h"
#include "repeats.h"
#include "tests.h"

void *test_malloc(size_t size);
void *test_calloc(size_t n, size_t size);

/* Allocations until one fails; those of several threads count together. */
static _Atomic int64_t n_until_failure = INT64_MAX;

static int fails(void) { return n_until_failure-- == 1; }

void *test_malloc(size_t size) { return fails() ? NULL : malloc(size); }
void *test_calloc(size_t n, size_t size) { return fails() ? NULL : calloc(n, size); }

/* A call with its n-th allocation failing; whether it had so many, and then what it must return. */
#define FAILS_AT(n, call) (fail_at(n), has_failed(call))

static void fail_at(int64_t n) { n_until_failure = n; }

static int has_failed(fastfm_status status)
{
    const int has = n_until_failure <= 0;
    fail_at(INT64_MAX);
    CHECK(status == (has ? FASTFM_NO_MEMORY : FASTFM_OK));
    return has;
}

static fastfm_status gradient_of(const problem *P, outputs *out, int num_threads)
{
    int64_t bad_row;
    return fastfm_gradient(&P->X, &P->m.c, &P->loss, &P->targets, P->weight_sum, &out->total,
                           &(fastfm_gradient_arrays){out->w0, out->w, out->V, FASTFM_KEPT},
                           num_threads, &bad_row);
}

/* A failed call adds nothing: the rows are one batch. */
static int64_t test_gradient(const problem *P, int num_threads)
{
    outputs expected = outputs_of(P, num_threads), none = outputs_start(P), tried;
    int64_t n = 1, bad_row;
    tried = outputs_start(P);
    CHECK(fastfm_score(&P->X, &P->m.c, tried.scores, num_threads, &bad_row) == FASTFM_OK);
    memcpy(none.scores, tried.scores,
           (size_t)(P->X.n_rows * P->m.c.n_outputs * type_size(P->m.c.real)));
    for (; FAILS_AT(n, gradient_of(P, &tried, num_threads)); n++)
        same_outputs(P, &tried, &none);
    tried.total_alone = expected.total_alone;
    same_outputs(P, &tried, &expected);
    outputs_free(&expected), outputs_free(&none), outputs_free(&tried);
    return n - 1;
}

static int64_t test_objective(const problem *P, int num_threads)
{
    double total = START_TOTAL, expected = START_TOTAL;
    int64_t n = 1, bad_row;
    CHECK(fastfm_objective(&P->X, &P->m.c, &P->loss, &P->targets, &expected, num_threads,
                           &bad_row) == FASTFM_OK);
    for (; FAILS_AT(n, fastfm_objective(&P->X, &P->m.c, &P->loss, &P->targets, &total, num_threads,
                                        &bad_row));
         n++)
        CHECK(same_value(total, START_TOTAL));
    CHECK(same_bytes(&total, &expected, 8));
    return n - 1;
}

static int64_t test_scores(const problem *P, int num_threads)
{
    const fastfm_model *m = &P->m.c;
    const int64_t bytes = P->X.n_rows * m->n_outputs * type_size(m->real);
    void *scores = exactly(bytes, 1), *expected = exactly(bytes, 1);
    int64_t bad_row, n = 1;
    CHECK(fastfm_score(&P->X, m, expected, num_threads, &bad_row) == FASTFM_OK);
    while (FAILS_AT(n, fastfm_score(&P->X, m, scores, num_threads, &bad_row)))
        n++;
    CHECK(same_bytes(scores, expected, bytes));
    free(scores), free(expected);
    return n - 1;
}

/* Without and with the largest value. Returns the allocations of the latter. */
static int64_t test_check(const problem *P, int num_threads)
{
    const int64_t n_features = P->m.c.n_features;
    int64_t bad_row, n = 1, n_plain = 1;
    int has_repeats;
    double largest;
    while (FAILS_AT(n_plain, fastfm_check(&P->X, n_features, NULL, NULL, num_threads, &bad_row)))
        n_plain++;
    while (
        FAILS_AT(n, fastfm_check(&P->X, n_features, &largest, &has_repeats, num_threads, &bad_row)))
        n++;
    CHECK(n == n_plain + 1);
    return n - 1;
}

/* A bad label: the search for faults of the matrix, which are told first, may fail. */
static void test_bad_label(const problem *P, int num_threads)
{
    double *y = (double *)exactly(P->X.n_rows, 8), total = 0;
    const fastfm_targets targets = {y, FASTFM_F64, NULL};
    outputs out = outputs_start(P);
    fastfm_status status[2];
    int has_failed_once = 0;
    for (int64_t i = 0; i < P->X.n_rows; i++)
        y[i] = -1;
    for (int64_t n = 1, is_over = 0; !is_over; n++) {
        const fastfm_gradient_arrays gradient = {out.w0, out.w, out.V, FASTFM_KEPT};
        int64_t bad_row;
        is_over = 1;
        for (int which = 0; which < 2; which++) {
            const fastfm_loss loss = {P->m.c.n_outputs > 1 ? FASTFM_SOFTMAX : FASTFM_LOGISTIC, 0};
            fail_at(n);
            status[which] = which ? fastfm_gradient(&P->X, &P->m.c, &loss, &targets, 1, &total,
                                                    &gradient, num_threads, &bad_row)
                                  : fastfm_objective(&P->X, &P->m.c, &loss, &targets, &total,
                                                     num_threads, &bad_row);
            CHECK(status[which] == (n_until_failure <= 0 ? FASTFM_NO_MEMORY : FASTFM_BAD_LABEL));
            is_over &= n_until_failure > 0;
            has_failed_once |= n_until_failure <= 0;
            fail_at(INT64_MAX);
        }
    }
    CHECK(has_failed_once && same_value(total, 0));
    outputs_free(&out);
    free(y);
}

/* Batches before the failure are learned, no other, and the rest can be learned afterwards. */
static void test_training(const problem *P, const fastfm_solver *options, int num_threads)
{
    const int64_t n_rows = P->X.n_rows;
    int64_t *order = (int64_t *)exactly(n_rows, 8), n = 1;
    learner whole = learner_new(P, options, 1);
    for (int64_t i = 0; i < n_rows; i++)
        order[i] = n_rows - 1 - i;
    learner_pass(&whole, P, order, n_rows, num_threads);
    CHECK(whole.status == FASTFM_OK);
    for (int is_over = 0; !is_over; n++) {
        learner L = learner_new(P, options, 1), before = learner_new(P, options, 1);
        int64_t learned, done;
        fail_at(n);
        learner_pass(&L, P, order, n_rows, num_threads);
        is_over = !has_failed(L.status);
        learner_is_finite(&L);
        learned = L.solver.n_steps * options->batch_size;
        done = learned < n_rows ? learned : n_rows;
        learner_pass(&before, P, order, done, 1);
        same_learners(&L, &before);
        learner_pass(&L, P, order + done, n_rows - done, num_threads);
        CHECK(L.status == FASTFM_OK);
        same_learners(&L, &whole);
        learner_free(&L);
        learner_free(&before);
    }
    CHECK(n > 3); /* at least the batch, and what its largest part needs */
    free(order);
    learner_free(&whole);
}

static void test_sum_repeats(const fastfm_csr *X)
{
    const int64_t index = type_size(X->index_type), real = type_size(X->data_type);
    void *indices = exactly(X->nnz, index), *data = exactly(X->nnz, real);
    void *expected = exactly(X->nnz, index), *expected_data = exactly(X->nnz, real);
    int64_t n = 1;
    while (FAILS_AT(n, fastfm_sum_repeats(X, indices, data)))
        n++;
    sum_repeats_plainly(X, expected, expected_data);
    CHECK(n == 2 && same_bytes(indices, expected, X->nnz * index));
    CHECK(same_bytes(data, expected_data, X->nnz * real));
    free(indices), free(data), free(expected), free(expected_data);
}

static void test_losses(const problem *P)
{
    const fastfm_type real = P->m.c.real;
    const int64_t n = P->X.n_rows, C = P->m.c.n_outputs;
    void *scores = calloc((size_t)(n * C), 8), *out = exactly(n * C, 8);
    double squares;
    int64_t bad_row, n_loss = 1, n_proba = 1, n_l2 = 1;
    while (FAILS_AT(n_loss, fastfm_loss_rows(&P->loss, P->targets.y, P->targets.y_type, scores,
                                             real, n, C, NULL, out, &bad_row)))
        n_loss++;
    while (FAILS_AT(n_proba, fastfm_proba(&P->loss, scores, real, n, C, out)))
        n_proba++;
    while (FAILS_AT(n_l2, fastfm_l2(P->m.c.w, real, C * P->m.c.n_features, 1, NULL, 1, &squares)))
        n_l2++;
    CHECK(n_loss == 2 && n_proba == 2 && n_l2 == 2);
    free(scores), free(out);
}

static fastfm_status open_columns(const problem *P, int num_threads, fastfm_columns **columns)
{
    int64_t bad_row;
    fastfm_columns_close(*columns);
    return fastfm_columns_open(&P->X, NULL, 0, &P->m.c, &P->loss, &P->targets, columns, num_threads,
                               &bad_row);
}

static fastfm_status go_on(fastfm_columns *columns, int num_threads)
{
    int64_t bad_row;
    int is_done = 0;
    const fastfm_status status = fastfm_columns_go_on(columns, num_threads, &is_done, &bad_row);
    CHECK(is_done == (status == FASTFM_OK));
    return status;
}

/* Each call fails, and then works; a sweep goes on after a failure. */
static int64_t test_column_calls(const problem *P, int num_threads)
{
    fastfm_columns *columns = NULL;
    double objective = 0;
    int64_t n = 1, total;
    while (FAILS_AT(n, open_columns(P, num_threads, &columns)))
        n++;
    total = n;
    fastfm_columns_begin(columns, 0.1, 0.1, 1);
    for (n = 1; FAILS_AT(n, go_on(columns, num_threads)); n++)
        total++;
    for (n = 1; FAILS_AT(n, fastfm_columns_objective(columns, &objective, num_threads)); n++)
        total++;
    CHECK(objective > 0);
    for (n = 1; FAILS_AT(n, fastfm_columns_set_groups(columns, NULL, 1)); n++)
        total++;
    fastfm_columns_close(columns);
    return total;
}

static fastfm_status open_field_columns(const problem *P, int num_threads,
                                        fastfm_field_columns **columns)
{
    int64_t bad_row;
    fastfm_field_columns_close(*columns);
    return fastfm_field_columns_open(&P->X, NULL, 0, &P->m.c, &P->loss, &P->targets, columns,
                                     num_threads, &bad_row);
}

static fastfm_status go_on_fields(fastfm_field_columns *columns, int num_threads)
{
    int64_t bad_row;
    int is_done = 0;
    const fastfm_status status =
        fastfm_field_columns_go_on(columns, num_threads, &is_done, &bad_row);
    CHECK(is_done == (status == FASTFM_OK));
    return status;
}

static int64_t test_field_column_calls(const problem *P, int num_threads)
{
    fastfm_field_columns *columns = NULL;
    double objective = 0;
    int64_t n = 1, total;
    while (FAILS_AT(n, open_field_columns(P, num_threads, &columns)))
        n++;
    total = n;
    fastfm_field_columns_begin(columns, 0.1, 0.1, 1);
    for (n = 1; FAILS_AT(n, go_on_fields(columns, num_threads)); n++)
        total++;
    for (n = 1; FAILS_AT(n, fastfm_field_columns_objective(columns, &objective, num_threads)); n++)
        total++;
    CHECK(objective > 0);
    fastfm_field_columns_close(columns);
    return total;
}

static void test_problem(const problem *P, int64_t z, int num_threads)
{
    const int64_t n_rows = P->X.n_rows;
    CHECK(test_scores(P, num_threads) >= (z > 200));
    CHECK(test_check(P, num_threads) >= 1 + (z > 200));
    CHECK(test_objective(P, num_threads) >= 1 + (z > 200));
    CHECK(test_gradient(P, num_threads) >= 4 + (z > 200)); /* two sums, the batch, its threads */
    if (!P->m.c.fields && P->m.c.n_outputs == 1 && P->m.c.normalization == FASTFM_AS_IS)
        CHECK(test_column_calls(P, num_threads) >= 20);
    if (P->m.c.fields && P->m.c.n_outputs == 1 && P->m.c.normalization == FASTFM_AS_IS)
        CHECK(test_field_column_calls(P, num_threads) >= 20);
    test_bad_label(P, num_threads);
    test_sum_repeats(&P->X);
    test_losses(P);
    for (int rule = FASTFM_SGD; rule <= FASTFM_FTRL; rule++) {
        fastfm_solver options = solver_of((fastfm_rule)rule);
        options.batch_size = 1 + n_rows / 3;
        test_training(P, &options, num_threads);
    }
}

/* Rows that need no table of their own, and long ones that do; divided ones and ones with repeats,
 * which are copied; one thread, and as many as start. */
static void test_kind(kind type, int64_t n_rows, int64_t z, int num_threads)
{
    matrix rows = matrix_new(300);
    for (int64_t i = n_rows; i > 0; i--) { /* shorter and shorter; they are learned from the end */
        matrix_random_row(&rows, z * i / n_rows, i % 2 == 0, 0);
        if (i % 2 == 1 && num_threads > 1)
            matrix_repeat(&rows, rows.n_rows - 1);
    }
    for (int normalization = 0; normalization < (type.n_fields ? 2 : 3); normalization++) {
        problem P = problem_new(&rows, type);
        P.m.c.normalization = (fastfm_normalization)normalization;
        CASE("no memory: fields %d, outputs %d, %d rows of %d, %d threads, normalization %d",
             (int)type.n_fields, (int)type.n_outputs, (int)n_rows, (int)z, num_threads,
             normalization);
        test_problem(&P, z, num_threads);
        problem_free(&P);
    }
    matrix_free(&rows);
}

/* The three calls of L-BFGS that allocate: each once, and nothing changes without memory. */
static void test_vectors(void)
{
    double x[2][8] = {{0}, {1, 1}}, g[2][8] = {{1, 2}, {3, 4}}, d[8], s[16], y[16], sy[4], yy[4],
           sg[2], yg[2], value;
    int64_t order[2] = {0, 1}, n_add = 1, n_direction = 1, n_dot = 1;
    fastfm_pairs p = {8, 2, FASTFM_F64, NULL, s, y, 0, order, sy, yy, sg, yg, 0};
    CASE("no memory: pairs");
    for (; FAILS_AT(n_add, fastfm_pairs_add(&p, x[0], x[1], g[0], g[1], 1)); n_add++)
        CHECK(p.n_pairs == 0 && order[0] == 0);
    while (FAILS_AT(n_direction, fastfm_pairs_direction(&p, g[1], d, 1, &value)))
        n_direction++;
    while (FAILS_AT(n_dot, fastfm_dot(g[0], g[1], FASTFM_F64, 8, 1, &value)))
        n_dot++;
    CHECK(p.n_pairs == 1 && n_add == 2 && n_direction == 2 && n_dot == 2 && same_value(value, 11));
}

static int is_built_in(void)
{
    double value = 1, squares;
    return FAILS_AT(1, fastfm_l2(&value, FASTFM_F64, 1, 1, NULL, 1, &squares));
}

void test_no_memory(void)
{
    random_state = 9;
    fastfm_use_level(fastfm_n_levels() - 1);
    CASE("no memory: csrc is compiled with -Dmalloc=test_malloc -Dcalloc=test_calloc");
    CHECK(is_built_in());
    test_vectors();
    for (int num_threads = 1; num_threads <= 3; num_threads += 2)
        for (int n_fields = 0; n_fields <= 5; n_fields += 5)
            for (int n_outputs = 1; n_outputs <= 3; n_outputs += 2) {
                const kind type = {FASTFM_F32, FASTFM_F32, FASTFM_I32, 8, n_outputs, n_fields};
                test_kind(type, 7, 3, num_threads);
                test_kind(type, 40, 250, num_threads);
            }
}
