/* Matrices that lie, and repeats: the right status and row, or the right result, and no access
 * outside any array. */
#include <math.h>
#include <stdlib.h>

#include "reference.h"
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

static void check_model(const expectation *expected, int64_t n_features, kind type)
{
    const fastfm_csr *X = expected->X;
    model m = model_random(n_features, type.n_fields, type.k, type.n_outputs, type.real);
    const int64_t C = type.n_outputs, block = model_block(&m.c), bytes = type_size(type.real);
    const int64_t n_slots = random_below(2) ? n_features : 1 + random_below(4);
    void *scores = exactly(X->n_rows * C, bytes), *y = exactly(X->n_rows, 1);
    void *w = exactly(C * n_slots, bytes), *V = exactly(C * n_slots * block, bytes);
    void *slots = exactly(X->nnz, type_size(X->index_type));
    double *w0 = (double *)exactly(C, 8), total = 0;
    const fastfm_loss loss = {C > 1 ? FASTFM_SOFTMAX : FASTFM_LOGISTIC, 0};
    const fastfm_targets targets = {y, FASTFM_U8, NULL};
    const fastfm_gradient gradient = {n_slots, n_slots == n_features ? NULL : slots, w0, w, V, 1};
    int64_t bad_row = -1;
    memset(y, 0, (size_t)X->n_rows);
    memset(w0, 0, (size_t)(C * 8));
    memset(w, 0, (size_t)(C * n_slots * bytes));
    memset(V, 0, (size_t)(C * n_slots * block * bytes));
    for (int64_t p = 0; p < X->nnz; p++)
        set_index(slots, X->index_type, p, random_below(n_slots > 0 ? n_slots : 1));
    check_fault(expected, fastfm_score(X, &m.c, scores, expected->num_threads, &bad_row), &bad_row);
    bad_row = -1;
    check_fault(expected,
                fastfm_objective(X, &m.c, &loss, &targets, (double)X->n_rows + 1, &total,
                                 random_below(4) ? &gradient : NULL, expected->num_threads,
                                 &bad_row),
                &bad_row);
    free(scores), free(y), free(w0), free(w), free(V), free(slots);
    model_free(&m);
}

/* The repeats of X summed, against pairs: each column stays where it first is. */
static void check_sum_repeats(const fastfm_csr *X, int64_t n_features)
{
    const fastfm_type type = X->index_type;
    void *indptr = exactly(X->n_rows + 1, type_size(type)),
         *indices = exactly(X->nnz, type_size(type));
    void *data = exactly(X->nnz, type_size(X->data_type));
    void *total = exactly(1, type_size(X->data_type));
    int64_t at = 0, bad_row, same = 1;
    fastfm_csr summed = {X->n_rows, X->nnz, indptr, indices, data, type, X->data_type, NULL};
    if (!CHECK(fastfm_sum_repeats(X, indptr, indices, data) == FASTFM_OK))
        return;
    for (int64_t i = 0; i < X->n_rows; i++) {
        const int64_t first = get_index(X->indptr, type, i),
                      last = get_index(X->indptr, type, i + 1);
        same &= get_index(indptr, type, i) == at;
        for (int64_t p = first; p < last; p++) {
            const int64_t j = get_index(X->indices, type, p);
            int64_t q = first;
            while (get_index(X->indices, type, q) != j)
                q++;
            if (q < p)
                continue;
            set_real(total, X->data_type, 0, get_real(X->data, X->data_type, p));
            for (q = p + 1; q < last; q++)
                if (get_index(X->indices, type, q) == j)
                    set_real(total, X->data_type, 0,
                             get_real(total, X->data_type, 0) + get_real(X->data, X->data_type, q));
            same &= get_index(indices, type, at) == j;
            same &=
                same_value(get_real(data, X->data_type, at), get_real(total, X->data_type, 0)) ||
                !isfinite(get_real(total, X->data_type, 0));
            at++;
        }
    }
    CHECK(same && get_index(indptr, type, X->n_rows) == at);
    summed.nnz = at;
    CHECK(fastfm_check(&summed, n_features, NULL, 1, &bad_row) == FASTFM_OK);
    free(indptr), free(indices), free(data), free(total);
}

/* The largest |x| is that of a plain loop, also when it is infinite or NaN: in all of several blocks. */
static void test_largest(int64_t test)
{
    static const double special[] = {0, 3e38, -INFINITY, NAN};
    matrix m = matrix_equal_rows(20000, 10, 50);
    fastfm_csr X = csr_of(&m, FASTFM_I32, test % 2 ? FASTFM_F32 : FASTFM_F64);
    double largest, expected = 0;
    int64_t bad_row;
    CASE("largest %d", (int)test);
    for (int64_t i = 0; i < test % 3; i++)
        set_real((void *)(uintptr_t)X.data, X.data_type, random_below(X.nnz),
                 special[random_below(COUNT(special))]);
    for (int64_t p = 0; p < X.nnz; p++) {
        const double size = fabs(get_real(X.data, X.data_type, p));
        if (size > expected || isnan(size))
            expected = size;
    }
    CHECK(fastfm_check(&X, m.n_features, &largest, 1 + (int)(test % 3), &bad_row) == FASTFM_OK);
    CHECK(largest == expected || (isnan(largest) && isnan(expected)));
    csr_free(&X);
    matrix_free(&m);
}

static void check_matrix(const matrix *m, kind type, int num_threads)
{
    fastfm_csr X = csr_of(m, type.index, type.data);
    expectation expected = {.X = &X, .num_threads = num_threads};
    int64_t bad_row = -1;
    expected.status = reference_check(&X, m->n_features, &expected.row);
    check_fault(&expected, fastfm_check(&X, m->n_features, NULL, num_threads, &bad_row), &bad_row);
    check_model(&expected, m->n_features, type);
    type.n_fields = 0;
    check_model(&expected, m->n_features, type);
    if (expected.status == FASTFM_OK || expected.status == FASTFM_REPEATED_COLUMN)
        check_sum_repeats(&X, m->n_features);
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

/* Columns of any size, in rows too long for the check by pairs; the check reads no parameters. */
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
    expected.status = reference_check(&X, limit, &expected.row);
    CASE("long rows %d", (int)test);
    check_fault(&expected, fastfm_check(&X, limit, NULL, 1, &bad_row), &bad_row);
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
    for (int64_t test = 0; test < LARGEST_CASES; test++)
        test_largest(test);
    for (int64_t test = 0; test < LONG_CASES; test++)
        test_long_rows(test);
}
