/* Each allocation of every public function fails in turn: NO_MEMORY, nothing leaked (LeakSanitizer
 * looks at the end), nothing changed but what had been learned, and the next call works.
 *
 * run.sh compiles csrc with malloc and calloc renamed to those of this file. */
#include <stdlib.h>

#include "learner.h"
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

/* Arrays of zeros that a gradient is added to. */
typedef struct {
    double total, w0[4];
    void *w, *V;
    int64_t w_bytes, V_bytes;
} sums;

static sums sums_new(const fastfm_model *m)
{
    const int64_t w_bytes = m->n_features * m->n_outputs * type_size(m->real);
    sums S = {.w_bytes = w_bytes, .V_bytes = w_bytes * model_block(m)};
    S.w = calloc((size_t)S.w_bytes, 1);
    S.V = calloc((size_t)S.V_bytes, 1);
    return S;
}

static fastfm_status evaluate(const problem *P, sums *S, int num_threads)
{
    const fastfm_gradient gradient = {P->m.c.n_features, NULL, S->w0, S->w, S->V, 0};
    int64_t bad_row;
    return fastfm_objective(&P->X, &P->m.c, &P->loss, &P->targets, P->weight_sum, &S->total,
                            &gradient, num_threads, &bad_row);
}

static int64_t test_objective(const problem *P, int num_threads)
{
    const fastfm_model *m = &P->m.c;
    sums none = sums_new(m), tried = sums_new(m), expected = sums_new(m);
    int64_t n = 1;
    CHECK(evaluate(P, &expected, num_threads) == FASTFM_OK);
    for (; FAILS_AT(n, evaluate(P, &tried, num_threads)); n++) {
        CHECK(same_bytes(&tried.total, &none.total, 8));
        CHECK(same_bytes(tried.w0, none.w0, (int64_t)sizeof none.w0));
        CHECK(same_bytes(tried.w, none.w, none.w_bytes));
        CHECK(same_bytes(tried.V, none.V, none.V_bytes));
    }
    CHECK(same_bytes(&tried.total, &expected.total, 8));
    CHECK(same_bytes(tried.w, expected.w, none.w_bytes));
    CHECK(same_bytes(tried.V, expected.V, none.V_bytes));
    free(none.w), free(none.V), free(tried.w), free(tried.V), free(expected.w), free(expected.V);
    return n - 1;
}

static int64_t test_scores(const problem *P, int num_threads)
{
    const fastfm_model *m = &P->m.c;
    const int64_t bytes = P->X.n_rows * m->n_outputs * type_size(m->real);
    void *scores = exactly(bytes, 1), *expected = exactly(bytes, 1);
    int64_t bad_row, n = 1, n_check = 1;
    double largest;
    CHECK(fastfm_score(&P->X, m, expected, num_threads, &bad_row) == FASTFM_OK);
    while (FAILS_AT(n, fastfm_score(&P->X, m, scores, num_threads, &bad_row)))
        n++;
    CHECK(same_bytes(scores, expected, bytes));
    while (FAILS_AT(n_check, fastfm_check(&P->X, m->n_features, &largest, num_threads, &bad_row)))
        n_check++;
    free(scores), free(expected);
    return n - 1;
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

static void test_repeats(const fastfm_csr *X)
{
    void *indptr = exactly(X->n_rows + 1, type_size(X->index_type));
    void *indices = exactly(X->nnz, type_size(X->index_type));
    void *data = exactly(X->nnz, type_size(X->data_type));
    int64_t n = 1;
    while (FAILS_AT(n, fastfm_sum_repeats(X, indptr, indices, data)))
        n++;
    CHECK(n == 2 && same_bytes(indices, X->indices, X->nnz * type_size(X->index_type)));
    free(indptr), free(indices), free(data);
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

/* Rows that need no table of their own, and long ones that do; one thread, and as many as start. */
static void test_kind(kind type, int64_t n_rows, int64_t z, int num_threads)
{
    matrix rows = matrix_new(300);
    problem P;
    for (int64_t i = n_rows; i > 0; i--) /* shorter and shorter; they are learned from the end */
        matrix_random_row(&rows, z * i / n_rows, i % 2 == 0, 0);
    P = problem_new(&rows, type);
    CASE("no memory: fields %d, outputs %d, %d rows of %d, %d threads", (int)type.n_fields,
         (int)type.n_outputs, (int)n_rows, (int)z, num_threads);
    CHECK(test_scores(&P, num_threads) >= (z > 200));
    CHECK(test_objective(&P, num_threads) >= 1 + (z > 200));
    test_repeats(&P.X);
    test_losses(&P);
    for (int rule = 0; rule < 4; rule++) {
        fastfm_solver options = solver_of((fastfm_rule)rule);
        options.batch_size = 1 + n_rows / 3;
        test_training(&P, &options, num_threads);
    }
    problem_free(&P);
    matrix_free(&rows);
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
    for (int num_threads = 1; num_threads <= 3; num_threads += 2)
        for (int n_fields = 0; n_fields <= 5; n_fields += 5)
            for (int n_outputs = 1; n_outputs <= 3; n_outputs += 2) {
                const kind type = {FASTFM_F32, FASTFM_F32, FASTFM_I32, 8, n_outputs, n_fields};
                test_kind(type, 7, 3, num_threads);
                test_kind(type, 40, 250, num_threads);
            }
}
