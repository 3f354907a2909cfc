/* How rows are prepared before they are scored or learned from: divided as the model says, repeated
 * columns summed. Examples worked out by hand; and a matrix with repeats gives the bits of one whose
 * rows were summed and end with explicit zeros, whichever rows and blocks have them. */
#include <math.h>
#include <stdlib.h>

#include "learner.h"
#include "repeats.h"
#include "tests.h"

/* ------------------------------------------------------------------------------- examples by hand */

/* A model of two factors whose score of a row is easy: w0 = 0, w = 1, v = (1, 0). Then the linear
 * part is the sum of a row's values, and the pairs are the sum of the products of two of them. An
 * FFM has one field. */
static model plain_model(int64_t n_features, int is_ffm, fastfm_type real)
{
    model m = model_random(n_features, is_ffm, 2, 1, real);
    set_real(m.c.w0, real, 0, 0);
    for (int64_t j = 0; j < n_features; j++) {
        set_real(m.c.w, real, j, 1);
        set_real(m.c.V, real, 2 * j, 1);
        set_real(m.c.V, real, 2 * j + 1, 0);
    }
    return m;
}

typedef struct {
    int64_t n, columns[4];
    double values[4], scores[3]; /* one for each normalization */
} example;

static const example examples[] = {
    {2, {0, 1}, {3, 4}, {19, 1.4 + 0.48, 1.4 + 0.48 / 25}},
    {1, {2}, {-4}, {-4, -1, -1}},
    {0, {0}, {0}, {0, 0, 0}},
    {2, {1, 3}, {0, 0}, {0, 0, 0}},                         /* explicit zeros stay */
    {2, {1, 1}, {1, -1}, {0, 0, 0}},                        /* so does what sums to zero */
    {3, {0, 1, 0}, {1, 4, 2}, {19, 1.88, 1.4 + 0.48 / 25}}, /* (3, 4) again */
    {4, {5, 5, 5, 0}, {1, 1, 1, 4}, {19, 1.88, 1.4 + 0.48 / 25}},
    {4, {1, 0, 1, 0}, {2, 1, 2, 2}, {19, 1.88, 1.4 + 0.48 / 25}},
    {3,
     {4, 2, 3},
     {2, -1, 2},
     {3 + 0, 1 + 0 / 9.0, 1 + 0 / 81.0}}}; /* 2 * -1 + 2 * 2 + -1 * 2 = 0 */

static void test_example(const example *e, fastfm_type real, fastfm_type data, fastfm_type index,
                         int is_ffm)
{
    matrix m = matrix_new(6);
    model plain = plain_model(6, is_ffm, real);
    fastfm_csr X;
    for (int64_t a = 0; a < e->n; a++)
        matrix_add(&m, e->columns[a], e->values[a]);
    matrix_end_row(&m);
    X = csr_of(&m, index, data);
    for (int normalization = 0; normalization < (is_ffm ? 2 : 3); normalization++) {
        double score = NAN;
        void *scores = exactly(1, type_size(real));
        int64_t bad_row;
        CASE("example %d, real f%d, data f%d, ffm %d, normalization %d", (int)(e - examples),
             (int)type_size(real) * 8, (int)type_size(data) * 8, is_ffm, normalization);
        plain.c.normalization = (fastfm_normalization)normalization;
        if (CHECK(fastfm_score(&X, &plain.c, scores, 1, &bad_row) == FASTFM_OK))
            score = get_real(scores, real, 0);
        CHECK(fabs(score - e->scores[normalization]) <= (real == FASTFM_F32 ? 1e-6 : 1e-14));
        free(scores);
    }
    csr_free(&X);
    model_free(&plain);
    matrix_free(&m);
}

/* Lengths whose squares overflow or vanish: (3, 4) times any power of two. */
static void test_sizes(fastfm_type data)
{
    static const int powers[] = {0, 1, 60, 125, -100, -140, 1000, -1000, -1060};
    const int64_t n = data == FASTFM_F64 ? COUNT(powers) : 6; /* what float32 holds */
    for (int64_t p = 0; p < n; p++) {
        matrix m = matrix_new(2);
        model plain = plain_model(2, 0, FASTFM_F64);
        const double unit = ldexp(1, powers[p]);
        double score = NAN;
        int64_t bad_row;
        fastfm_csr X;
        matrix_add(&m, 0, 3 * unit);
        matrix_add(&m, 1, 4 * unit);
        matrix_end_row(&m);
        X = csr_of(&m, FASTFM_I32, data);
        CASE("values times 2^%d, data f%d", powers[p], (int)type_size(data) * 8);
        plain.c.normalization = FASTFM_INSTANCE;
        CHECK(fastfm_score(&X, &plain.c, &score, 1, &bad_row) == FASTFM_OK);
        CHECK(fabs(score - 1.88) <= 1e-15);
        plain.c.normalization = FASTFM_XLEARN; /* pairs of x / |x|^2 = x / |x| / |x| */
        CHECK(fastfm_score(&X, &plain.c, &score, 1, &bad_row) == FASTFM_OK);
        CHECK(powers[p] < -500 ||
              fabs(score - (1.4 + 0.48 / 25 / unit / unit)) <= 1e-15 * fmax(1, 1 / unit / unit));
        csr_free(&X);
        model_free(&plain);
        matrix_free(&m);
    }
}

static void test_examples(void)
{
    for (int64_t e = 0; e < COUNT(examples); e++)
        for (int bits = 0; bits < 16; bits++)
            test_example(&examples[e], bits & 1 ? FASTFM_F64 : FASTFM_F32,
                         bits & 2 ? FASTFM_F64 : FASTFM_F32, bits & 4 ? FASTFM_I64 : FASTFM_I32,
                         bits >> 3);
    test_sizes(FASTFM_F32);
    test_sizes(FASTFM_F64);
}

/* --------------------------------------------------------------------- the bits of summed rows */

/* P's model and targets, with other rows. */
static problem with_rows(const problem *P, const matrix *rows)
{
    problem other = *P;
    other.X = csr_of(rows, P->X.index_type, P->X.data_type);
    return other;
}

static void same_training(const problem *P, const problem *Q, fastfm_rule rule, int64_t batch_size,
                          int with_scale, int num_threads)
{
    fastfm_solver options = solver_of(rule);
    const int64_t n = P->X.n_rows;
    int64_t *order = (int64_t *)exactly(n, 8);
    learner L, other;
    options.batch_size = batch_size;
    options.l2_factors = 0.02;
    for (int64_t i = 0; i < n; i++) { /* Fisher and Yates, inside out */
        const int64_t j = random_below(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    L = learner_new(P, &options, with_scale);
    other = learner_new(Q, &options, with_scale);
    for (int pass = 0; pass < 2; pass++) {
        learner_pass(&L, P, order, n, num_threads);
        learner_pass(&other, Q, order, n, 1);
        CHECK(L.status == FASTFM_OK && other.status == FASTFM_OK);
    }
    same_learners(&L, &other);
    learner_is_finite(&L);
    learner_free(&L);
    learner_free(&other);
    free(order);
}

/* The rows with repeats give, with any number of threads and at every level, what the summed rows
 * give with one thread at the baseline. */
static void check_bits(const matrix *rows, kind type, int turn)
{
    static const int64_t batch_sizes[] = {1, 7, 700, INT64_MAX};
    matrix plain = matrix_summed(rows, type.data);
    problem P = problem_new(rows, type), Q = with_rows(&P, &plain);
    double largest, expected;
    int has_repeats, has_none;
    int64_t bad_row;
    for (int normalization = 0; normalization < (type.n_fields ? 2 : 3); normalization++) {
        outputs of_summed;
        P.m.c.normalization = Q.m.c.normalization = (fastfm_normalization)normalization;
        CASE("repeats: %d rows, fields %d, outputs %d, real f%d, data f%d, index i%d, k %d, "
             "normalization %d",
             (int)rows->n_rows, (int)type.n_fields, (int)type.n_outputs,
             (int)type_size(type.real) * 8, (int)type_size(type.data) * 8,
             (int)type_size(type.index) * 8, (int)type.k, normalization);
        fastfm_use_level(0);
        of_summed = outputs_of(&Q, 1);
        for (int level = 0; level < fastfm_n_levels(); level++) {
            outputs out;
            fastfm_use_level(level);
            out = outputs_of(&P, 1 + (turn + level + normalization) % 3);
            same_outputs(&P, &out, &of_summed);
            outputs_free(&out);
        }
        outputs_free(&of_summed);
        same_training(&P, &Q, (fastfm_rule)((turn + normalization) % 4),
                      batch_sizes[(turn / 4 + normalization) % 4],
                      normalization == FASTFM_AS_IS && turn % 2, 1 + turn % 3);
    }
    CHECK(fastfm_check(&P.X, rows->n_features, &largest, &has_repeats, 3, &bad_row) == FASTFM_OK);
    CHECK(fastfm_check(&Q.X, rows->n_features, &expected, &has_none, 1, &bad_row) == FASTFM_OK);
    CHECK(same_value(largest, expected) && has_repeats && !has_none);
    csr_free(&Q.X);
    problem_free(&P);
    matrix_free(&plain);
}

/* 160,000 values: several blocks of every driver. Rows that repeat: the first, the last and one
 * inside; every 97th; or all. */
static void test_blocks(int64_t which, kind type, int turn)
{
    static const int64_t every[] = {INT64_MAX, 97, 1};
    matrix m = matrix_repeated_rows(5000, 48, 90, every[which]);
    matrix_repeat(&m, 2500 - 2500 % 3);
    matrix_random_row(&m, 40, 0, 0);
    matrix_repeat(&m, m.n_rows - 1);
    check_bits(&m, type, turn);
    matrix_free(&m);
}

/* fastfm_sum_repeats of rows that start after value 0 writes nowhere else. */
static void test_slice(const matrix *rows, kind type)
{
    fastfm_csr X = csr_of(rows, type.index, type.data), slice = X;
    const int64_t index = type_size(type.index), real = type_size(type.data), n = rows->nnz;
    const int64_t first = rows->indptr[4], last = rows->indptr[rows->n_rows - 3];
    char *indices = (char *)calloc((size_t)n, (size_t)index);
    char *data = (char *)calloc((size_t)n, (size_t)real);
    char *plain_indices = (char *)calloc((size_t)n, (size_t)index);
    char *plain_data = (char *)calloc((size_t)n, (size_t)real);
    int same = 1;
    slice.n_rows -= 7;
    slice.indptr = (const char *)X.indptr + 4 * index;
    CASE("repeats of a slice");
    CHECK(first > 0 && last < n);
    CHECK(fastfm_sum_repeats(&slice, indices, data) == FASTFM_OK);
    sum_repeats_plainly(&slice, plain_indices, plain_data);
    for (int64_t p = 0; p < n; p++)
        same &= (p >= first && p < last) || (get_index(indices, type.index, p) == 0 &&
                                             same_value(get_real(data, type.data, p), 0));
    CHECK(same && same_bytes(indices, plain_indices, n * index));
    CHECK(same_bytes(data, plain_data, n * real));
    free(indices), free(data), free(plain_indices), free(plain_data);
    csr_free(&X);
}

void test_prepare(void)
{
    matrix some, all;
    random_state = 10;
    fastfm_use_level(0);
    test_examples();
    some = matrix_repeated_rows(40, 75, 90, 3);
    all = matrix_repeated_rows(30, 36, 40, 1);
    for (int i = 0; i < 64; i++) {
        const kind type = kind_of(i % 32, i < 32 ? 5 : 17);
        check_bits(&some, type, i);
        check_bits(&all, type, i + 1);
        if (i % 7 == 0)
            test_blocks(i / 7 % 3, type, i);
        test_slice(&some, type);
    }
    matrix_free(&some);
    matrix_free(&all);
}
