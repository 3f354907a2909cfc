/* Learning by columns: the same bits at every level and for any threads, sweeps that are never worse, and
 * rows that are at fault. test_random: base/random.h. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "hashes.h"
#include "tests.h"

/* Runs what has been begun to its end. */
static fastfm_status run(fastfm_columns *columns, int num_threads)
{
    int64_t bad_row;
    int is_done = 0;
    fastfm_status status = FASTFM_OK;
    while (!is_done && status == FASTFM_OK)
        status = fastfm_columns_go_on(columns, num_threads, &is_done, &bad_row);
    return status;
}

static fastfm_columns *columns_open(const problem *P, const int64_t *rows, int64_t n_rows)
{
    fastfm_columns *columns = NULL;
    int64_t bad_row;
    CHECK(fastfm_columns_open(&P->X, rows, n_rows, &P->m.c, &P->loss, &P->targets, &columns, 1,
                              &bad_row) == FASTFM_OK);
    return columns;
}

/* A copy of the parameters of a problem's model. */
static model model_copy(const problem *P)
{
    const fastfm_model *m = &P->m.c;
    model copy = model_random(m->n_features, 0, m->n_factors, 1, m->real);
    return copy;
}

/* Sweeps, each no worse than the last, to `end`. */
static void sweep(const problem *P, int num_threads, model *end)
{
    fastfm_columns *columns = columns_open(P, NULL, 0);
    double before = INFINITY, objective = 0;
    const double slack = P->m.c.real == FASTFM_F32 ? 1e-4 : 1e-11;
    for (int s = 0; s < 3; s++) {
        fastfm_columns_begin(columns, 0.125, 0.25, 1);
        CHECK(run(columns, num_threads) == FASTFM_OK);
        CHECK(fastfm_columns_objective(columns, &objective, num_threads) == FASTFM_OK);
        CHECK(objective <= before + slack * fabs(objective));
        before = objective;
    }
    fastfm_columns_read(columns, &end->c);
    fastfm_columns_close(columns);
}

/* Iterations of the sampler, with two groups of columns. */
static void draw(const problem *P, int num_threads, model *end)
{
    const int64_t n = P->m.c.n_features, k = P->m.c.n_factors;
    fastfm_columns *columns = columns_open(P, NULL, 0);
    int32_t *groups = (int32_t *)exactly(n, 4);
    double *hyper = (double *)exactly(4 + 4 * k, 8);
    fastfm_sampler sampler = {.seed = 7,
                              .alpha = 1,
                              .lambda_w = hyper,
                              .mu_w = hyper + 2,
                              .lambda_V = hyper + 4,
                              .mu_V = hyper + 4 + 2 * k};
    for (int64_t j = 0; j < n; j++)
        groups[j] = j % 3 == 0;
    for (int64_t i = 0; i < 4 + 4 * k; i++)
        hyper[i] = 1;
    CHECK(fastfm_columns_set_groups(columns, groups, 2) == FASTFM_OK);
    for (; sampler.iteration < 2; sampler.iteration++) {
        fastfm_columns_begin_sample(columns, &sampler);
        CHECK(run(columns, num_threads) == FASTFM_OK);
        fastfm_columns_read_sample(columns, &sampler);
        CHECK(sampler.alpha > 0 && hyper[0] > 0);
    }
    fastfm_columns_read(columns, &end->c);
    fastfm_columns_close(columns);
    free(groups);
    free(hyper);
}

static int same_parameters(const fastfm_model *a, const fastfm_model *b)
{
    const int64_t size = type_size(a->real);
    return same_bytes(a->w0, b->w0, size) && same_bytes(a->w, b->w, a->n_features * size) &&
           same_bytes(a->V, b->V, a->n_features * a->n_factors * size);
}

/* Both at all levels, with one thread and three. */
static void test_levels(const problem *P, void (*learn)(const problem *, int, model *))
{
    model first = model_copy(P), other = model_copy(P);
    for (int level = 0; level < fastfm_n_levels(); level++)
        for (int num_threads = 1; num_threads <= 3; num_threads += 2) {
            model *end = level == 0 && num_threads == 1 ? &first : &other;
            fastfm_use_level(level);
            learn(P, num_threads, end);
            CHECK(same_parameters(&end->c, &first.c));
        }
    hash_columns(&first.c);
    model_free(&first);
    model_free(&other);
}

/* Rows of two values of 1, one below n / 2 and one above; some columns have more than a chunk. */
static matrix matrix_pairs(int64_t n_rows, int64_t n)
{
    matrix m = matrix_new(n);
    for (int64_t i = 0; i < n_rows; i++) {
        matrix_add(&m, i % 2 ? 0 : random_below(n / 2), 1);
        matrix_add(&m, n / 2 + random_below(n / 2), 1);
        matrix_end_row(&m);
    }
    return m;
}

/* Rows of an item, a user, and what all rows of a user have. */
static matrix matrix_shared(int64_t n_rows)
{
    matrix m = matrix_new(45);
    for (int64_t i = 0; i < n_rows; i++) {
        const int64_t user = random_below(20);
        matrix_add(&m, random_below(10), 1);
        matrix_add(&m, 10 + user, 1);
        matrix_add(&m, 30 + user % 5, 0.5);
        matrix_add(&m, 35 + user % 7, 1 + (double)user / 8);
        matrix_add(&m, 42 + user % 3, -1);
        matrix_end_row(&m);
    }
    return m;
}

static void drop_weights(problem *P)
{
    free((void *)(uintptr_t)P->targets.weight);
    P->targets.weight = NULL;
}

static void test_rows_of(matrix *rows, int64_t k)
{
    for (int64_t i = 0; i < 8; i++) {
        problem P = problem_new(rows, kind_of(i, k));
        if (rows->n_rows > 5000)
            drop_weights(&P);
        CASE("columns: types %d, k %d, %d rows", (int)i, (int)k, (int)rows->n_rows);
        test_levels(&P, sweep);
        test_levels(&P, draw);
        problem_free(&P);
    }
}

/* Row numbers outside of X, and columns that have changed after the plan was made. */
static void test_faults(void)
{
    const int64_t rows[] = {3, 0, 99};
    matrix m = matrix_equal_rows(9, 4, 20);
    problem P = problem_new(&m, kind_of(0, 4));
    fastfm_columns *columns = NULL;
    int64_t bad_row = -1;
    CASE("columns: faults");
    drop_weights(&P);
    CHECK(fastfm_columns_open(&P.X, rows, 3, &P.m.c, &P.loss, &P.targets, &columns, 1, &bad_row) ==
          FASTFM_BAD_ROW);
    CHECK(bad_row == 2 && !columns);
    columns = columns_open(&P, rows, 2);
    CHECK(fastfm_columns_plan(columns).n_rows == 2);
    set_index((void *)(uintptr_t)P.X.indices, P.X.index_type, 12, 1 << 30);
    fastfm_columns_begin(columns, 0.1, 0.1, 1);
    CHECK(run(columns, 1) == FASTFM_BAD_INDEX);
    fastfm_columns_close(columns);
    fastfm_columns_close(NULL);
    problem_free(&P);
    matrix_free(&m);
}

void test_columns(void)
{
    matrix pairs = matrix_pairs(12000, 40), mixed = matrix_mixed_rows(70);
    matrix shared = matrix_shared(900);
    random_state = 21;
    for (int64_t k = 3; k <= 21; k += 9) {
        test_rows_of(&mixed, k);
        test_rows_of(&pairs, k);
        test_rows_of(&shared, k);
    }
    test_faults();
    matrix_free(&pairs);
    matrix_free(&shared);
    matrix_free(&mixed);
}

void test_random(void)
{
    /* The published vectors of Philox4x32-10 for a counter and a key of zeros, and of ones. */
    const random_place zeros = {0}, ones = {UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    uint32_t words[4][RANDOM_PARTS];
    double normals[4 * RANDOM_PARTS], others[4], worst = 0;
    CASE("random");
    random_words(&zeros, 0, 1, words);
    CHECK(words[0][0] == 0x6627e8d5 && words[1][0] == 0xe169c58d && words[2][0] == 0xbc57ac4c &&
          words[3][0] == 0x9b00dbd8);
    random_words(&ones, UINT32_MAX, 1, words);
    CHECK(words[0][0] == 0x408f276d && words[1][0] == 0x41c83b0e && words[2][0] == 0xa20bc7c6 &&
          words[3][0] == 0x6d5451fd);
    for (int64_t i = 0; i < 100000; i++) {
        const double x = (random_real() + 1) / 2 + 1e-12, angle = 2 * 3.14159265358979323846 * x;
        double sine, cosine;
        random_sincos(x, &sine, &cosine);
        worst = fmax(worst, fabs(sine - sin(angle)) + fabs(cosine - cos(angle)));
        worst = fmax(worst, fabs(random_log(x) / log(x) - 1));
        worst = fmax(worst, fabs(random_exp(-30 * x) / exp(-30 * x) - 1));
    }
    CHECK(worst < 1e-14);
    for (uint32_t i = 0; i < 1000; i++) {
        const random_place place = {i, 0, 0, 0};
        const double least = (double)i / 10 - 20;
        CHECK(random_normal_above(&place, least) > least);
        CHECK(random_gamma(&place, 1 + i) > 0);
        random_normals(&place, i, RANDOM_PARTS, normals);
        for (uint32_t part = 0; part < RANDOM_PARTS; part++) {
            random_normals(&place, i + part, 1, others);
            CHECK(memcmp(others, normals + 4 * part, sizeof others) == 0);
        }
        CHECK(fabs(normals[0]) < 7 && fabs(normals[3]) < 7);
    }
}
