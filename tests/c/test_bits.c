/* What a result may not depend on: the other rows of a call, the pieces that rows come in, other
 * callers; and values that are not finite. */
#include <math.h>
#include <stdlib.h>

#include "tests.h"

/* Rows [begin, end) of X, without a copy. */
static fastfm_csr rows_of(const fastfm_csr *X, int64_t begin, int64_t end)
{
    fastfm_csr part = *X;
    part.n_rows = end - begin;
    part.indptr = (const char *)X->indptr + begin * type_size(X->index_type);
    return part;
}

/* Each row by itself, in place and as a copy of exactly its size. */
static void test_single_rows(const matrix *rows, kind type)
{
    problem P = problem_new(rows, type);
    const int64_t bytes = P.m.c.n_outputs * type_size(type.real);
    char *all = (char *)exactly(rows->n_rows, bytes);
    void *scores = exactly(1, bytes);
    int64_t bad_row;
    CHECK(fastfm_score(&P.X, &P.m.c, all, 1, &bad_row) == FASTFM_OK);
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const fastfm_csr in_place = rows_of(&P.X, i, i + 1);
        matrix row = matrix_new(rows->n_features);
        fastfm_csr copy;
        for (int64_t p = rows->indptr[i]; p < rows->indptr[i + 1]; p++)
            matrix_add(&row, rows->indices[p], rows->values[p]);
        matrix_end_row(&row);
        copy = csr_of(&row, type.index, type.data);
        CHECK(fastfm_score(&in_place, &P.m.c, scores, 1, &bad_row) == FASTFM_OK);
        CHECK(same_bytes(all + i * bytes, scores, bytes));
        CHECK(fastfm_score(&copy, &P.m.c, scores, 1, &bad_row) == FASTFM_OK);
        CHECK(same_bytes(all + i * bytes, scores, bytes));
        csr_free(&copy);
        matrix_free(&row);
    }
    free(all);
    free(scores);
    problem_free(&P);
}

/* The objective over pieces that start at multiples of FASTFM_ROW_BLOCK rows. */
static void test_pieces(const matrix *rows, kind type, int num_threads)
{
    static const int64_t edges[] = {0, 256, 1024, 1280, 1500};
    problem P = problem_new(rows, type);
    outputs whole = outputs_of(&P, 1), parts = outputs_of(&P, 1);
    const double *weight = P.targets.weight;
    const int64_t n = P.m.c.n_features, C = P.m.c.n_outputs, bytes = type_size(type.real);
    const int64_t block = model_block(&P.m.c);
    int64_t bad_row;
    for (int64_t i = 0; i < C * n * block; i++)
        set_real(parts.V, type.real, i, start_value(i / block / C, i % block));
    for (int64_t j = 0; j < C * n; j++)
        set_real(parts.w, type.real, j, start_value(j / C, 0));
    for (int64_t c = 0; c < C; c++)
        parts.w0[c] = start_value(c, 1);
    parts.total = START_TOTAL;
    for (int64_t e = 0; e + 1 < COUNT(edges); e++) {
        const fastfm_csr part = rows_of(&P.X, edges[e], edges[e + 1]);
        const fastfm_gradient gradient = {n, NULL, parts.w0, parts.w, parts.V, 0};
        const fastfm_targets targets = {(const char *)P.targets.y +
                                            edges[e] * type_size(P.targets.y_type),
                                        P.targets.y_type, weight ? weight + edges[e] : NULL};
        CHECK(fastfm_objective(&part, &P.m.c, &P.loss, &targets, P.weight_sum, &parts.total,
                               &gradient, num_threads, &bad_row) == FASTFM_OK);
    }
    CHECK(same_bytes(&whole.total, &parts.total, 8));
    CHECK(same_bytes(whole.w0, parts.w0, C * 8));
    CHECK(same_bytes(whole.w, parts.w, C * n * bytes));
    CHECK(same_bytes(whole.V, parts.V, C * n * block * bytes));
    outputs_free(&whole);
    outputs_free(&parts);
    problem_free(&P);
}

/* A gradient of more slots than a thread writes to at a time: fresh pages change nothing. */
static void test_fresh(const matrix *rows, kind type, int num_threads)
{
    problem P = problem_new(rows, type);
    const int64_t block = model_block(&P.m.c), bytes = type.n_outputs * type_size(type.real);
    const int64_t n_slots = P.n_slots + (INT64_C(70) << 20) / (block * bytes);
    char *w[2], *V[2];
    for (int is_fresh = 0; is_fresh < 2; is_fresh++) {
        double w0[8] = {0}, total = 0;
        int64_t bad_row;
        w[is_fresh] = (char *)calloc((size_t)n_slots, (size_t)bytes);
        V[is_fresh] = (char *)calloc((size_t)n_slots, (size_t)(block * bytes));
        CHECK(fastfm_objective(
                  &P.X, &P.m.c, &P.loss, &P.targets, P.weight_sum, &total,
                  &(fastfm_gradient){n_slots, P.slots, w0, w[is_fresh], V[is_fresh], is_fresh},
                  num_threads, &bad_row) == FASTFM_OK);
    }
    CHECK(same_bytes(w[0], w[1], n_slots * bytes));
    CHECK(same_bytes(V[0], V[1], n_slots * block * bytes));
    for (int is_fresh = 0; is_fresh < 2; is_fresh++)
        free(w[is_fresh]), free(V[is_fresh]);
    problem_free(&P);
}

/* Calls from several threads at once, each of which asks for threads. */
static void test_callers(const matrix *rows, kind type)
{
#ifdef _OPENMP
    problem P = problem_new(rows, type);
    const int64_t n = P.X.n_rows * P.m.c.n_outputs, bytes = n * type_size(type.real);
    char *scores = (char *)exactly(9, bytes);
    int n_ok = 0;
#pragma omp parallel for num_threads(3) reduction(+ : n_ok)
    for (int call = 0; call < 9; call++) {
        int64_t bad_row;
        n_ok += fastfm_score(&P.X, &P.m.c, scores + call * bytes, 3, &bad_row) == FASTFM_OK;
    }
    CHECK(n_ok == 9);
    for (int call = 1; call < 9; call++)
        CHECK(same_bytes(scores, scores + call * bytes, bytes));
    free(scores);
    problem_free(&P);
#else
    (void)rows, (void)type;
#endif
}

/* A value that is not finite: its row's score is not, and no other bit changes. */
static void test_not_finite_value(const matrix *rows, kind type, double value)
{
    problem P = problem_new(rows, type);
    const int64_t C = type.n_outputs, bytes = C * type_size(type.real);
    outputs before = outputs_of(&P, 1), after;
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const int64_t p = rows->indptr[i];
        char *scores = (char *)exactly(rows->n_rows, bytes);
        int64_t bad_row;
        int same = 1;
        if (rows->indptr[i + 1] == p)
            continue;
        set_real((void *)(uintptr_t)P.X.data, type.data, p, value);
        CHECK(fastfm_score(&P.X, &P.m.c, scores, 1, &bad_row) == FASTFM_OK);
        for (int64_t r = 0; r < rows->n_rows; r++)
            same &=
                r == i || same_bytes(scores + r * bytes, (char *)before.scores + r * bytes, bytes);
        CHECK(same);
        for (int64_t c = 0; c < C; c++)
            CHECK(!isfinite(get_real(scores, type.real, i * C + c)));
        set_real((void *)(uintptr_t)P.X.data, type.data, p, rows->values[p]);
        free(scores);
    }
    set_real((void *)(uintptr_t)P.X.data, type.data, rows->indptr[rows->n_rows] / 2, value);
    after = outputs_of(&P, 2);
    outputs_free(&after);
    outputs_free(&before);
    problem_free(&P);
}

/* An explicit zero is no entry, whatever its parameters; a row of weight zero is none, whatever its
 * values. */
static void test_absent(kind type)
{
    matrix rows = matrix_equal_rows(6, 8, 20);
    problem P;
    outputs before, after;
    double *weight = (double *)exactly(6, 8);
    for (int64_t i = 0; i < 6; i++)
        weight[i] = (double)(i % 3);
    for (int64_t p = 0; p < rows.nnz; p++)
        rows.values[p] = rows.indices[p] == 3 ? 0 : rows.values[p];
    P = problem_new(&rows, type);
    free((void *)(uintptr_t)P.targets.weight);
    P.targets.weight = weight;
    P.weight_sum = 6;
    before = outputs_of(&P, 1);
    for (int64_t c = 0; c < type.n_outputs; c++) {
        const int64_t block = model_block(&P.m.c), j = 3 * type.n_outputs + c;
        set_real((void *)(uintptr_t)P.m.c.w, type.real, j, NAN);
        for (int64_t e = 0; e < block; e++)
            set_real((void *)(uintptr_t)P.m.c.V, type.real, j * block + e, e % 2 ? INFINITY : NAN);
    }
    after = outputs_of(&P, 1);
    same_outputs(&P, &before, &after);
    outputs_free(&after);
    for (int64_t p = 3 * 8; p < 4 * 8; p++)
        set_real((void *)(uintptr_t)P.X.data, type.data, p, p % 2 ? NAN : INFINITY);
    after = outputs_of(&P, 1);
    memcpy((char *)after.scores + 3 * type.n_outputs * type_size(type.real),
           (char *)before.scores + 3 * type.n_outputs * type_size(type.real),
           (size_t)(type.n_outputs * type_size(type.real)));
    same_outputs(&P, &before, &after);
    outputs_free(&after);
    outputs_free(&before);
    problem_free(&P);
    matrix_free(&rows);
}

void test_bits(void)
{
    matrix mixed, many, few;
    random_state = 2;
    mixed = matrix_mixed_rows(70);
    many = matrix_equal_rows(1500, 20, 60);
    few = matrix_equal_rows(5, 7, 12);
    for (int bits = 0; bits < 32; bits++) {
        const kind type = {bits & 1 ? FASTFM_F64 : FASTFM_F32,
                           bits & 2 ? FASTFM_F64 : FASTFM_F32,
                           bits & 4 ? FASTFM_I64 : FASTFM_I32,
                           bits & 4 ? 29 : 6,
                           bits & 8 ? 3 : 1,
                           bits & 16 ? 5 : 0};
        for (int level = 0; level < fastfm_n_levels(); level++) {
            fastfm_use_level(level);
            CASE("level %s, types %d", fastfm_level_name(level), bits);
            test_single_rows(&mixed, type);
            test_not_finite_value(&few, type, NAN);
            test_not_finite_value(&few, type, INFINITY);
            test_not_finite_value(&few, type, -INFINITY);
            test_absent(type);
        }
        test_pieces(&many, type, 1 + bits % 3);
        if (bits % 7 == 0)
            test_fresh(&many, type, 1 + bits % 3);
        test_callers(&many, type);
    }
    matrix_free(&mixed);
    matrix_free(&many);
    matrix_free(&few);
}
