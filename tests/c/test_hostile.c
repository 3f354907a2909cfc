/* Matrices that lie, and repeats: the right status and row, or the right result, and no access
 * outside any array. */
#include <math.h>
#include <stdlib.h>

#include "reference.h"
#include "repeats.h"
#include "tests.h"

#define SMALL_CASES 6000
#define LARGE_CASES 60
#define LONG_CASES 600
#define LARGEST_CASES 48

typedef struct {
    const fastfm_csr *X;
    fastfm_status status;
    int64_t row;
    int num_threads;
} expectation;

static void check_fault(const expectation *expected, fastfm_status status, const int64_t *bad_row)
{
    CHECK(status == expected->status);
    CHECK(status != expected->status || status == FASTFM_OK || *bad_row == expected->row);
}

/* Zeros for a gradient of the model. */
static fastfm_gradient_arrays gradient_new(const fastfm_model *m, fastfm_content content)
{
    const int64_t n = m->n_outputs * m->n_features, bytes = type_size(m->real);
    return (fastfm_gradient_arrays){(double *)calloc((size_t)m->n_outputs, 8),
                                    calloc((size_t)n, (size_t)bytes),
                                    calloc((size_t)(n * model_block(m)), (size_t)bytes), content};
}

static void gradient_free(fastfm_gradient_arrays *gradient)
{
    free(gradient->w0), free(gradient->w), free(gradient->V);
}

/* What is computed of X; total and w0 of the gradient change only if nothing is at fault. */
typedef struct {
    void *scores;
    double total, total_alone;
    fastfm_gradient_arrays gradient;
} result;

static result check_results(const expectation *expected, const fastfm_csr *X, const model *m,
                            const double *weight)
{
    const int64_t C = m->c.n_outputs;
    const fastfm_loss loss = {C > 1 ? FASTFM_SOFTMAX : FASTFM_LOGISTIC, 0};
    void *y = calloc((size_t)X->n_rows + 1, 1);
    const fastfm_targets targets = {y, FASTFM_U8, weight};
    result R = {exactly(X->n_rows * C, type_size(m->c.real)), 0, 0,
                gradient_new(&m->c, FASTFM_FRESH)};
    int64_t bad_row = -1;
    check_fault(expected, fastfm_score(X, &m->c, R.scores, expected->num_threads, &bad_row),
                &bad_row);
    bad_row = -1;
    check_fault(expected,
                fastfm_objective(X, &m->c, &loss, &targets, &R.total_alone, expected->num_threads,
                                 &bad_row),
                &bad_row);
    bad_row = -1;
    check_fault(expected,
                fastfm_gradient(X, &m->c, &loss, &targets, (double)X->n_rows + 1, &R.total,
                                &R.gradient, expected->num_threads, &bad_row),
                &bad_row);
    for (int64_t c = 0; expected->status != FASTFM_OK && c < C; c++)
        CHECK(same_value(R.gradient.w0[c], 0));
    CHECK(expected->status == FASTFM_OK ||
          (same_value(R.total, 0) && same_value(R.total_alone, 0)));
    free(y);
    return R;
}

static void result_free(result *R)
{
    free(R->scores);
    gradient_free(&R->gradient);
}

/* The same numbers, or NaN both. */
static int same_numbers(const void *a, const void *b, fastfm_type real, int64_t n)
{
    int same = 1;
    for (int64_t i = 0; i < n; i++) {
        const double x = get_real(a, real, i), y = get_real(b, real, i);
        same &= x <= y && x >= y ? 1 : isnan(x) && isnan(y);
    }
    return same;
}

static void check_same_results(const result *a, const result *b, const fastfm_csr *X,
                               const fastfm_model *m)
{
    const int64_t C = m->n_outputs, n_w = C * m->n_features;
    CHECK(same_numbers(a->scores, b->scores, m->real, X->n_rows * C));
    CHECK(same_numbers(&a->total, &b->total, FASTFM_F64, 1));
    CHECK(same_numbers(&a->total, &b->total_alone, FASTFM_F64, 1));
    CHECK(same_numbers(a->gradient.w0, b->gradient.w0, FASTFM_F64, C));
    CHECK(same_numbers(a->gradient.w, b->gradient.w, m->real, n_w));
    CHECK(same_numbers(a->gradient.V, b->gradient.V, m->real, n_w * model_block(m)));
}

/* A sound matrix gives what it gives with its repeats summed. */
static void check_model(const expectation *expected, int64_t n_features, kind type)
{
    const fastfm_csr *X = expected->X;
    model m = model_random(n_features, type.n_fields, type.k, type.n_outputs, type.real);
    double *weight = random_below(2) ? (double *)exactly(X->n_rows, 8) : NULL;
    result R;
    m.c.normalization = (fastfm_normalization)random_below(type.n_fields ? 2 : 3);
    for (int64_t i = 0; weight && i < X->n_rows; i++)
        weight[i] = (double)random_below(3); /* also rows of weight zero are checked */
    R = check_results(expected, X, &m, weight);
    if (expected->status == FASTFM_OK) {
        fastfm_csr summed = *X;
        void *indices = calloc((size_t)X->nnz + 1, (size_t)type_size(X->index_type));
        void *data = calloc((size_t)X->nnz + 1, (size_t)type_size(X->data_type));
        result of_summed;
        sum_repeats_plainly(X, indices, data);
        summed.indices = indices;
        summed.data = data;
        of_summed = check_results(expected, &summed, &m, weight);
        check_same_results(&R, &of_summed, X, &m.c);
        result_free(&of_summed);
        free(indices), free(data);
    }
    result_free(&R);
    model_free(&m);
    free(weight);
}

/* What fastfm_sum_repeats makes of X, and fastfm_check says of its repeats and largest value. */
static void check_repeats(const fastfm_csr *X, int64_t n_features, int has_repeats, int num_threads)
{
    const int64_t index = type_size(X->index_type), real = type_size(X->data_type);
    const int64_t first = get_index(X->indptr, X->index_type, 0);
    const int64_t n = get_index(X->indptr, X->index_type, X->n_rows) - first;
    void *indices = exactly(X->nnz, index), *data = exactly(X->nnz, real);
    void *plain_indices = exactly(X->nnz, index), *plain_data = exactly(X->nnz, real);
    double largest = -1, expected = 0;
    int found = -1;
    int64_t bad_row = -1;
    if (CHECK(fastfm_sum_repeats(X, indices, data) == FASTFM_OK) && X->n_rows > 0) {
        sum_repeats_plainly(X, plain_indices, plain_data);
        CHECK(same_bytes((char *)indices + first * index, (char *)plain_indices + first * index,
                         n * index));
        CHECK(same_numbers((char *)data + first * real, (char *)plain_data + first * real,
                           X->data_type, n));
    }
    for (int64_t p = first; p < first + n && X->n_rows > 0; p++) {
        const double size = fabs(get_real(plain_data, X->data_type, p));
        if (size > expected || isnan(size))
            expected = size;
    }
    CHECK(fastfm_check(X, n_features, &largest, &found, num_threads, &bad_row) == FASTFM_OK);
    CHECK(found == has_repeats && same_numbers(&largest, &expected, FASTFM_F64, 1));
    free(indices), free(data), free(plain_indices), free(plain_data);
}

/* The largest |x| is that of a plain loop, also when it is infinite or NaN: in all of several
 * blocks; and has_repeats is of any of them. */
static void test_largest(int64_t test)
{
    static const double special[] = {0, 3e38, -INFINITY, NAN};
    matrix m = matrix_equal_rows(20000, 10, 50);
    fastfm_csr X;
    const int has_repeats = test % 5 == 0;
    if (has_repeats)
        matrix_repeat(&m, random_below(m.n_rows));
    X = csr_of(&m, FASTFM_I32, test % 2 ? FASTFM_F32 : FASTFM_F64);
    CASE("largest %d", (int)test);
    for (int64_t i = 0; i < test % 3; i++)
        set_real((void *)(uintptr_t)X.data, X.data_type, random_below(X.nnz),
                 special[random_below(COUNT(special))]);
    check_repeats(&X, m.n_features, has_repeats, 1 + (int)(test % 3));
    csr_free(&X);
    matrix_free(&m);
}

static void check_matrix(const matrix *m, kind type, int num_threads)
{
    fastfm_csr X = csr_of(m, type.index, type.data);
    expectation expected = {.X = &X, .num_threads = num_threads};
    int64_t bad_row = -1;
    int has_repeats, found;
    double largest;
    expected.status = reference_check(&X, m->n_features, &has_repeats, &expected.row);
    check_fault(&expected, fastfm_check(&X, m->n_features, NULL, NULL, num_threads, &bad_row),
                &bad_row);
    bad_row = -1;
    check_fault(&expected, fastfm_check(&X, m->n_features, &largest, &found, num_threads, &bad_row),
                &bad_row);
    check_model(&expected, m->n_features, type);
    type.n_fields = 0;
    check_model(&expected, m->n_features, type);
    if (expected.status == FASTFM_OK)
        check_repeats(&X, m->n_features, has_repeats, num_threads);
    csr_free(&X);
}

static kind random_kind(int64_t k, int64_t n_outputs, int64_t n_fields)
{
    const int64_t bits = random_below(8);
    return (kind){bits & 1 ? FASTFM_F64 : FASTFM_F32,
                  bits & 2 ? FASTFM_F64 : FASTFM_F32,
                  bits & 4 ? FASTFM_I64 : FASTFM_I32,
                  k,
                  n_outputs,
                  n_fields};
}

static void test_small(int64_t test)
{
    const int64_t n_features = random_below(20) ? 1 + random_below(70) : 0,
                  n_rows = random_below(9);
    const int64_t longest = random_below(n_features + 1), k = 1 + random_below(34),
                  C = 1 + random_below(2);
    matrix m = matrix_new(n_features);
    for (int64_t i = 0; i < n_rows; i++) {
        const int64_t z = random_below(longest + 1);
        matrix_random_row(&m, z, random_below(2) == 0, 0.1);
    }
    if (n_rows > 0 && random_below(8))
        matrix_spoil(&m);
    fastfm_use_level((int)random_below(fastfm_n_levels()));
    CASE("small hostile matrix %d, level %d", (int)test, fastfm_active_level());
    check_matrix(&m, random_kind(k, C, 1 + random_below(6)), 3);
    matrix_free(&m);
}

/* So much work that threads start. A repeat in an early row must not hide a bad index in a late
 * one. */
static void test_large(int64_t test)
{
    const int64_t n_features = 200;
    matrix m = matrix_equal_rows(400, 9, n_features);
    const int num_threads = 1 + (int)(test % 3);
    matrix_spoil(&m);
    if (test % 2 == 0) {
        const int64_t p = 9 * random_below(200);
        m.indices[p] = m.indices[p + 1];
    }
    fastfm_use_level((int)random_below(fastfm_n_levels()));
    CASE("large hostile matrix %d, level %d, %d threads", (int)test, fastfm_active_level(),
         num_threads);
    check_matrix(&m, random_kind(60 + random_below(6), 4, 5), num_threads);
    matrix_free(&m);
}

/* The fault lies in a later chunk of rows than the gradient that looks ahead. */
static void test_chunks(void)
{
    static const int64_t columns[] = {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
                                      INT64_MAX, -1,        50};
    for (int64_t test = 0; test < COUNT(columns); test++) {
        matrix m = matrix_equal_rows(1700, 3, 50);
        for (int64_t p = 3 * 1440; p < m.nnz; p++)
            m.indices[p] = columns[test];
        fastfm_use_level((int)(test % fastfm_n_levels()));
        CASE("hostile chunk, column %lld", (long long)columns[test]);
        check_matrix(&m, (kind){FASTFM_F64, FASTFM_F64, FASTFM_I64, 70, 40, 1}, 3);
        matrix_free(&m);
    }
}

/* A fault of indptr is told before others, however late its row comes. */
static void test_late_indptr(void)
{
    matrix m = matrix_equal_rows(140000, 1, 50);
    CASE("a late fault of indptr");
    m.indices[5] = 50;
    m.indptr[139000] = 1;
    check_matrix(&m, (kind){FASTFM_F32, FASTFM_F32, FASTFM_I32, 1, 1, 1}, 3);
    m.indptr[139000] = 139000;
    CASE("many rows, a bad index");
    check_matrix(&m, (kind){FASTFM_F32, FASTFM_F32, FASTFM_I32, 1, 1, 1}, 3);
    matrix_free(&m);
}

/* Columns of any size, in rows too long for the check by pairs; the check and the sums read no
 * parameters. */
static void test_long_rows(int64_t test)
{
    const int wide = test % 2 == 0;
    const int64_t limit = wide            ? INT64_MAX
                          : test % 4 == 1 ? INT32_MAX
                                          : INT64_C(1) << (31 + test % 7);
    const uint64_t step = random_below(2) ? 1 : UINT64_C(1) << random_below(wide ? 62 : 31);
    const int64_t z = 30 + random_below(200);
    matrix m = matrix_new(limit);
    fastfm_csr X;
    expectation expected = {.X = &X};
    int64_t bad_row = -1;
    int has_repeats;
    matrix_end_row(&m);
    for (int64_t i = 0; i < 2; i++) {
        for (int64_t a = 0; a < z; a++) {
            const uint64_t place = (uint64_t)(test % 3 ? a * 128 + random_below(128) : z - a);
            matrix_add(&m, (int64_t)(step * place % (uint64_t)(wide ? limit : INT32_MAX)), 1);
        }
        if (random_below(2)) {
            const int64_t from = m.nnz - 1 - random_below(z), to = m.nnz - 1 - random_below(z);
            m.indices[to] = m.indices[from];
        }
        matrix_end_row(&m);
    }
    X = csr_of(&m, wide ? FASTFM_I64 : FASTFM_I32, FASTFM_F32);
    expected.status = reference_check(&X, limit, &has_repeats, &expected.row);
    CASE("long rows %d", (int)test);
    check_fault(&expected, fastfm_check(&X, limit, NULL, NULL, 1, &bad_row), &bad_row);
    if (expected.status == FASTFM_OK)
        check_repeats(&X, limit, has_repeats, 1);
    csr_free(&X);
    matrix_free(&m);
}

void test_hostile(void)
{
    random_state = 4;
    for (int64_t test = 0; test < SMALL_CASES; test++)
        test_small(test);
    for (int64_t test = 0; test < LARGE_CASES; test++)
        test_large(test);
    test_chunks();
    test_late_indptr();
    for (int64_t test = 0; test < LARGEST_CASES; test++)
        test_largest(test);
    for (int64_t test = 0; test < LONG_CASES; test++)
        test_long_rows(test);
}
