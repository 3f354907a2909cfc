/* What a result may not depend on: the other rows of a call, the pieces that rows come in, other
 * callers; and values that are not finite. */
#include <math.h>
#include <stdlib.h>

#include "repeats.h"
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

/* One call for rows [begin, end) of P, which go into out->total_alone (objective) and the rest
 * (gradient). */
static void add_piece(const problem *P, int64_t begin, int64_t end, int num_threads, outputs *out)
{
    const fastfm_csr rows = rows_of(&P->X, begin, end);
    const int64_t y_begin = begin * type_size(P->targets.y_type);
    const fastfm_targets targets = {(const char *)P->targets.y + y_begin, P->targets.y_type,
                                    P->targets.weight ? P->targets.weight + begin : NULL};
    const fastfm_gradient_arrays gradient = {out->w0, out->w, out->V, FASTFM_KEPT};
    int64_t bad_row;
    CHECK(fastfm_score(&rows, &P->m.c,
                       (char *)out->scores + begin * P->m.c.n_outputs * type_size(P->m.c.real),
                       num_threads, &bad_row) == FASTFM_OK);
    CHECK(fastfm_objective(&rows, &P->m.c, &P->loss, &targets, &out->total_alone, num_threads,
                           &bad_row) == FASTFM_OK);
    CHECK(fastfm_gradient(&rows, &P->m.c, &P->loss, &targets, P->weight_sum, &out->total, &gradient,
                          num_threads, &bad_row) == FASTFM_OK);
}

/* The objective over pieces that start at multiples of FASTFM_PIECE_ROWS rows. */
static void test_pieces(const matrix *rows, kind type, int num_threads,
                        fastfm_normalization normalization)
{
    const int64_t edges[] = {0, FASTFM_PIECE_ROWS, 3 * FASTFM_PIECE_ROWS, rows->n_rows};
    problem P = problem_new(rows, type);
    outputs whole, pieces;
    P.m.c.normalization = normalization;
    whole = outputs_of(&P, 1);
    pieces = outputs_start(&P);
    for (int64_t e = 0; e + 1 < COUNT(edges); e++)
        add_piece(&P, edges[e], edges[e + 1], num_threads, &pieces);
    same_outputs(&P, &whole, &pieces);
    outputs_free(&whole);
    outputs_free(&pieces);
    problem_free(&P);
}

/* Lines of rows whose lengths differ, so that row blocks of the pieces, and of their batches, begin
 * at other places than those of all rows would: short ones, then long ones with repeats. */
static matrix uneven_rows(void)
{
    matrix m = matrix_new(60);
    for (int64_t i = 0; i < 3 * FASTFM_PIECE_ROWS + 700; i++) {
        matrix_random_row(&m, i / FASTFM_PIECE_ROWS == 1 ? 9 : 1 + i % 4, i % 3 > 0, 0);
        if (i % 5000 == 4999)
            matrix_repeat(&m, i);
    }
    return m;
}

/* The accumulators of an FFM's batch (128 MB) are fewer than its values: it is cut. The longest row,
 * in the last piece, has more values than that; it must not decide where batches of other pieces
 * are cut. Its columns repeat, so that the model is small. */
static void test_cut_pieces(void)
{
    const kind type = {FASTFM_F32, FASTFM_F32, FASTFM_I32, 16, 1, 300};
    matrix m = matrix_new(300);
    for (int64_t i = 0; i < FASTFM_PIECE_ROWS; i++)
        matrix_random_row(&m, 6, 1, 0);
    for (int64_t p = 0; p < 8000; p++)
        matrix_add(&m, p * 7 % 300, random_real() / 30);
    matrix_end_row(&m);
    problem P = problem_new(&m, type);
    outputs whole = outputs_of(&P, 1), pieces = outputs_start(&P);
    add_piece(&P, 0, FASTFM_PIECE_ROWS, 1, &pieces);
    add_piece(&P, FASTFM_PIECE_ROWS, m.n_rows, 1, &pieces);
    same_outputs(&P, &whole, &pieces);
    outputs_free(&whole);
    outputs_free(&pieces);
    problem_free(&P);
    matrix_free(&m);
}

/* So many rows that an objective's losses (of 131072 rows at a time) are not kept all at once. */
static void test_many_rows(kind type)
{
    matrix m = matrix_equal_rows(140000, 2, 50);
    problem P = problem_new(&m, type);
    outputs serial = outputs_of(&P, 1), shared = outputs_of(&P, 3);
    same_outputs(&P, &serial, &shared);
    outputs_free(&serial);
    outputs_free(&shared);
    problem_free(&P);
    matrix_free(&m);
}

/* A gradient of more bytes than a thread clears at a time: fresh pages and stale numbers change nothing.
 * Only the first features are in the rows; the others' parameters are zeros. */
static void test_fresh(const matrix *rows, kind type, int num_threads)
{
    problem P = problem_new(rows, type);
    const int64_t block = model_block(&P.m.c), bytes = type.n_outputs * type_size(type.real);
    const int64_t n_used = rows->n_features, n = n_used + (INT64_C(9) << 20) / (block * bytes);
    fastfm_model large = P.m.c;
    char *w[3], *V[3];
    int32_t *fields = (int32_t *)calloc((size_t)n, 4);
    large.n_features = n;
    large.w = calloc((size_t)n, (size_t)bytes);
    large.V = calloc((size_t)n, (size_t)(block * bytes));
    memcpy(large.w, P.m.c.w, (size_t)(n_used * bytes));
    memcpy(large.V, P.m.c.V, (size_t)(n_used * block * bytes));
    if (P.m.c.fields) {
        memcpy(fields, P.m.c.fields, (size_t)(n_used * 4));
        large.fields = fields;
    }
    for (int content = FASTFM_KEPT; content <= FASTFM_STALE; content++) {
        double w0[8] = {0}, total = 0;
        int64_t bad_row;
        w[content] = (char *)calloc((size_t)n, (size_t)bytes);
        V[content] = (char *)calloc((size_t)n, (size_t)(block * bytes));
        if (content == FASTFM_STALE) {
            memset(w[content], 0xff, (size_t)(n * bytes));
            memset(V[content], 0xff, (size_t)(n * block * bytes));
        }
        CHECK(fastfm_gradient(
                  &P.X, &large, &P.loss, &P.targets, P.weight_sum, &total,
                  &(fastfm_gradient_arrays){w0, w[content], V[content], (fastfm_content)content},
                  content == FASTFM_KEPT ? 1 : num_threads, &bad_row) == FASTFM_OK);
    }
    for (int content = FASTFM_FRESH; content <= FASTFM_STALE; content++) {
        CHECK(same_bytes(w[0], w[content], n * bytes));
        CHECK(same_bytes(V[0], V[content], n * block * bytes));
    }
    CHECK(!same_bytes(V[0], large.V, n_used * block * bytes)); /* something was added */
    for (int content = FASTFM_KEPT; content <= FASTFM_STALE; content++)
        free(w[content]), free(V[content]);
    free(large.w), free(large.V), free(fields);
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
    matrix mixed, many, few, uneven;
    random_state = 2;
    mixed = matrix_mixed_rows(70);
    many = matrix_equal_rows(1500, 20, 60);
    few = matrix_equal_rows(5, 7, 12);
    uneven = uneven_rows();
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
        CASE("pieces, types %d", bits);
        test_pieces(&uneven, type, 1 + bits % 3,
                    (fastfm_normalization)(bits % (bits & 16 ? 2 : 3)));
        if (bits % 7 == 0)
            test_fresh(&many, type, 1 + bits % 3);
        test_callers(&many, type);
    }
    CASE("pieces, cut batches");
    test_cut_pieces();
    CASE("many rows");
    test_many_rows((kind){FASTFM_F32, FASTFM_F64, FASTFM_I32, 4, 1, 0});
    test_many_rows((kind){FASTFM_F64, FASTFM_F32, FASTFM_I64, 4, 2, 3});
    matrix_free(&mixed);
    matrix_free(&many);
    matrix_free(&few);
    matrix_free(&uneven);
}
