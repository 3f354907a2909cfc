/* fastfm_train: for every rule the same bits at every level, with any number of threads and in
 * pieces. */
#include <math.h>
#include <stdlib.h>

#include "hashes.h"
#include "tests.h"

#define ALL_ROWS INT64_MAX /* a batch size */

enum { IN_ORDER, PERMUTED, SUBSET, REPEATED, NO_ROWS, N_ORDERS };

static int64_t *rows_in(int64_t order, int64_t n, int64_t *n_rows)
{
    int64_t *rows = (int64_t *)exactly(2 * n, 8);
    for (int64_t i = 0; i < n; i++) { /* Fisher and Yates, inside out */
        const int64_t other = order == IN_ORDER ? i : random_below(i + 1);
        rows[i] = rows[other];
        rows[other] = i;
    }
    for (int64_t i = 0; order == REPEATED && i < 2 * n; i++)
        rows[i] = random_below(n);
    *n_rows = order == NO_ROWS ? 0 : order == SUBSET ? (n + 1) / 2 : order == REPEATED ? 2 * n : n;
    return rows;
}

/* --------------------------------------------------------------------------------- the same bits
 */

typedef struct {
    fastfm_solver options;
    int with_scale, all_threads, is_divided;
    const int64_t *rows;
    int64_t n_rows;
} training;

static void options_at_random(training *t, fastfm_rule rule, int64_t batch_size)
{
    t->options = solver_of(rule);
    t->options.batch_size = batch_size;
    t->is_divided = random_below(3) == 0;
    t->options.clip = random_below(3) == 0 ? 0.05 : INFINITY;
    t->options.l2_linear = random_below(2) ? 0.01 : 0;
    t->options.l2_factors = random_below(2) ? 0.02 : 0;
    t->options.l1_linear = random_below(2) ? 0.05 : 0;
    t->options.l1_factors = random_below(2) ? 0.001 : 0;
    t->with_scale = random_below(2) == 0;
    t->options.l2_in_scale = random_below(2) == 0;
    t->options.scale_is_fixed = random_below(4) == 0;
}

/* The rows twice, in pieces of whole batches. */
static learner learned_in_pieces(const problem *P, const training *t)
{
    learner L = learner_new(P, &t->options, t->with_scale);
    const int64_t step = t->options.batch_size < t->n_rows
                             ? t->n_rows / 3 / t->options.batch_size * t->options.batch_size
                             : 0;
    for (int pass = 0; pass < 2; pass++) {
        learner_pass(&L, P, t->rows, step, 1);
        learner_pass(&L, P, t->rows + step, t->n_rows - step, 1);
    }
    return L;
}

static void same_training(const problem *P, const training *t)
{
    static int turn = 0;
    const int most = fastfm_has_openmp() ? 3 : 1;
    learner first = learned_in_pieces(P, t);
    CHECK(first.status == FASTFM_OK);
    learner_is_finite(&first);
    hash_learner(P, &first);
    turn++;
    for (int level = 0; level < fastfm_n_levels(); level++) {
        for (int num_threads = 1; num_threads <= 3; num_threads++) {
            learner other;
            if (t->all_threads ? num_threads > most : num_threads != 1 + (turn + level) % 3)
                continue;
            fastfm_use_level(level);
            other = learner_new(P, &t->options, t->with_scale);
            for (int pass = 0; pass < 2; pass++)
                learner_pass(&other, P, t->rows, t->n_rows, num_threads);
            if (!(CHECK(other.status == FASTFM_OK) & same_learners(&first, &other)))
                printf("    level %s, %d threads\n", fastfm_level_name(level), num_threads);
            learner_free(&other);
        }
    }
    learner_free(&first);
}

static void test_training(const matrix *rows, kind type, fastfm_rule rule, int64_t batch_size,
                          int all_threads)
{
    problem P = problem_new(rows, type);
    training t = {.all_threads = all_threads};
    const int64_t order = all_threads ? PERMUTED : random_below(N_ORDERS);
    int64_t *order_of_rows = rows_in(order, P.X.n_rows, &t.n_rows);
    options_at_random(&t, rule, batch_size);
    t.rows = order_of_rows;
    P.m.c.normalization = t.is_divided ? FASTFM_INSTANCE : FASTFM_AS_IS;
    CASE("train: rule %d, fields %d, real f%d, data f%d, index i%d, k %d, outputs %d, batch %lld, "
         "order %d, scale %d, normalization %d, loss %d",
         (int)rule, (int)type.n_fields, (int)type_size(type.real) * 8,
         (int)type_size(type.data) * 8, (int)type_size(type.index) * 8, (int)type.k,
         (int)type.n_outputs, (long long)batch_size, (int)order, t.with_scale,
         (int)P.m.c.normalization, (int)P.loss.kind);
    fastfm_use_level(0);
    same_training(&P, &t);
    free(order_of_rows);
    problem_free(&P);
}

/* Two batches of so many rows that three threads pay. */
static void test_shared_batches(kind type, fastfm_rule rule)
{
    const int64_t z = type.n_fields ? 24 : 12,
                  per_value = 8 * type.k * type.n_outputs * (type.n_fields ? 16 : 1);
    const int64_t batch_size = 1 + 640000 / (per_value * z);
    matrix rows = matrix_equal_rows(2 * batch_size, z, 150);
    test_training(&rows, type, rule, batch_size, 1);
    matrix_free(&rows);
}

/* The gradients of a batch (138 MB) are more than it may keep: it is cut. */
static void test_cut_batches(void)
{
    matrix rows = matrix_equal_rows(12, 300, 300);
    const kind type = {FASTFM_F64, FASTFM_F32, FASTFM_I32, 16, 1, 300};
    test_training(&rows, type, FASTFM_ADAGRAD, ALL_ROWS, 0);
    matrix_free(&rows);
}

/* Each row several times, so that many features of a batch are in several blocks. */
static void test_repeated_rows(const matrix *rows, kind type, fastfm_rule rule, int64_t batch_size)
{
    problem P = problem_new(rows, type);
    training t = {0};
    learner serial;
    int64_t *order = rows_in(REPEATED, P.X.n_rows, &t.n_rows);
    options_at_random(&t, rule, batch_size);
    P.m.c.normalization = t.is_divided ? FASTFM_INSTANCE : FASTFM_AS_IS;
    CASE("repeated rows: rule %d, fields %d, batch %lld", (int)rule, (int)type.n_fields,
         (long long)batch_size);
    serial = learner_new(&P, &t.options, t.with_scale);
    learner_pass(&serial, &P, order, t.n_rows, 1);
    CHECK(serial.status == FASTFM_OK);
    for (int num_threads = 2; num_threads <= (fastfm_has_openmp() ? 3 : 1); num_threads++) {
        learner shared = learner_new(&P, &t.options, t.with_scale);
        learner_pass(&shared, &P, order, t.n_rows, num_threads);
        CHECK(shared.status == FASTFM_OK);
        same_learners(&shared, &serial);
        learner_free(&shared);
    }
    learner_free(&serial);
    free(order);
    problem_free(&P);
}

/* 60,000 values in a batch: eight row blocks of an FM, six of an FFM, whose accumulators are added
 * in block order. */
static void test_many_blocks(void)
{
    matrix rows = matrix_equal_rows(1500, 20, 60);
    for (int64_t i = 0; i < 32; i++)
        test_repeated_rows(&rows, kind_of(i, 5), (fastfm_rule)((i + i / 4) % 4), ALL_ROWS);
    matrix_free(&rows);
}

void test_train(void)
{
    static const int64_t factors[] = {1, 5, 40};
    static const int64_t batch_sizes[] = {1, 7, ALL_ROWS};
    matrix mixed, large, many;
    random_state = 5;
    mixed = matrix_mixed_rows(80);
    large = matrix_large_values(40);
    many = matrix_equal_rows(250, 12, 60);
    for (int64_t i = 0; i < COUNT(factors) * 32; i++) {
        const kind type = kind_of(i % 32, factors[i / 32]);
        for (int64_t rule = 0; rule < 4; rule++)
            test_training(random_below(2) ? &large : &mixed, type, (fastfm_rule)rule,
                          batch_sizes[(i + i / 32 + rule) % 3], 0);
        if (i % 3 == 0)
            test_shared_batches(type, (fastfm_rule)((i + i / 4) % 4));
        if (i % 3 == 1)
            test_repeated_rows(&many, type, (fastfm_rule)((i + i / 4) % 4), batch_sizes[i / 3 % 3]);
    }
    matrix_free(&mixed);
    matrix_free(&large);
    matrix_free(&many);
    test_cut_batches();
    test_many_blocks();
}
