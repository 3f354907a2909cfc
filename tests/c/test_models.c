/* Scores, objectives and gradients against the formulas, of rows as they are, divided, and with
 * repeated columns; the same bits at every level and with any number of threads. */
#include <math.h>
#include <stdlib.h>

#include "hashes.h"
#include "reference.h"
#include "repeats.h"
#include "tests.h"

/* Of the sum of the absolute values of all terms. Gradients of rows are added one by one. */
static double score_tolerance(fastfm_type real) { return real == FASTFM_F32 ? 1e-5 : 1e-13; }
static double gradient_tolerance(fastfm_type real) { return real == FASTFM_F32 ? 2e-5 : 2e-13; }

static int is_close(double value, sum expected, double tolerance)
{
    return fabs(value - expected.value) <= tolerance * expected.magnitude;
}

/* Whether gradient, (n * n_outputs rows of block entries), is what it started as plus `expected`.
 */
static int gradient_is_close(const problem *P, const void *gradient, sum *expected, int64_t block)
{
    const int64_t C = P->m.c.n_outputs;
    int close = 1;
    for (int64_t i = 0; i < P->m.c.n_features * C * block; i++) {
        const double start = start_value(i / block / C, i % block);
        expected[i].value += start;
        expected[i].magnitude += fabs(start);
        close &= is_close(get_real(gradient, P->m.c.real, i), expected[i],
                          gradient_tolerance(P->m.c.real));
    }
    return close;
}

typedef struct {
    sum total, *w0, *w, *V;
    double *scores, *gradient;
} expectation;

/* Adds row i. The error of its scores goes into the magnitudes: no loss but squared changes faster
 * than its scores do, and no derivative of a loss. */
static int expect_row(const problem *P, const outputs *out, int64_t i, expectation *expected)
{
    const int64_t C = P->m.c.n_outputs;
    const double weight = P->targets.weight ? P->targets.weight[i] : 1,
                 share = weight / P->weight_sum;
    double magnitude = 0, steepest = 1, loss;
    int close = 1;
    for (int64_t c = 0; c < C; c++) {
        const sum s = reference_score(&P->X, &P->m, i, c);
        close &= is_close(get_real(out->scores, P->m.c.real, i * C + c), s,
                          score_tolerance(P->m.c.real));
        expected->scores[c] = s.value;
        magnitude += s.magnitude;
    }
    loss = reference_loss(&P->loss, target_value(P->targets.y, P->targets.y_type, i),
                          expected->scores, C, expected->gradient);
    for (int64_t c = 0; c < C; c++) {
        const sum dscore = {share * expected->gradient[c], share * magnitude};
        steepest = fmax(steepest, fabs(expected->gradient[c]));
        expected->w0[c].value += dscore.value;
        expected->w0[c].magnitude += fabs(dscore.value) + dscore.magnitude;
        reference_gradient(&P->X, &P->m, i, c, dscore, expected->w, expected->V);
    }
    expected->total.value += weight * loss;
    expected->total.magnitude += weight * (loss + steepest * magnitude);
    return close;
}

static void check_reference(const problem *P, const outputs *out)
{
    const fastfm_model *m = &P->m.c;
    const int64_t C = m->n_outputs, n_w = C * m->n_features, n_V = n_w * model_block(m);
    const double tolerance = gradient_tolerance(m->real);
    sum *sums = (sum *)exactly(C + n_w + n_V, sizeof *sums);
    double *rows = (double *)exactly(2 * C, 8);
    expectation expected = {
        {START_TOTAL, START_TOTAL}, sums, sums + C, sums + C + n_w, rows, rows + C};
    int close = 1;
    for (int64_t i = 0; i < C + n_w + n_V; i++)
        sums[i] = (sum){0, 0};
    for (int64_t i = 0; i < P->X.n_rows; i++)
        close &= expect_row(P, out, i, &expected);
    CHECK(close);
    CHECK(is_close(out->total, expected.total, tolerance));
    for (close = 1; close && expected.w0 < expected.w; expected.w0++) {
        const int64_t c = expected.w0 - sums;
        expected.w0->value += start_value(c, 1);
        expected.w0->magnitude += 1;
        close &= is_close(out->w0[c], *expected.w0, tolerance);
    }
    CHECK(close);
    CHECK(gradient_is_close(P, out->w, expected.w, 1));
    CHECK(gradient_is_close(P, out->V, expected.V, model_block(m)));
    free(sums);
    free(rows);
}

/* Against the reference; then at all levels, with 1, 2 and 3 threads, or with one number of them
 * that changes from call to call. */
static void check_problem(const problem *P, int is_prepared, int all_threads)
{
    static int turn = 0;
    outputs first;
    fastfm_use_level(0);
    first = outputs_of(P, 1);
    check_reference(P, &first);
    hash_scores(P, &first, is_prepared);
    hash_gradients(P, &first, is_prepared);
    turn++;
    for (int level = 0; level < fastfm_n_levels(); level++) {
        for (int num_threads = 1; num_threads <= 3; num_threads++) {
            outputs other;
            if (!all_threads && num_threads != 1 + (turn + level) % 3)
                continue;
            fastfm_use_level(level);
            other = outputs_of(P, num_threads);
            if (!same_outputs(P, &first, &other))
                printf("    level %s, %d threads\n", fastfm_level_name(level), num_threads);
            outputs_free(&other);
        }
    }
    outputs_free(&first);
}

/* One problem with its rows as they are and divided in each way. Only an FM has xLearn's. */
static void test_rows_of(const char *shape, const matrix *rows, kind type, int has_repeats,
                         int all_threads)
{
    problem P = problem_new(rows, type);
    const int last = type.n_fields ? FASTFM_INSTANCE : FASTFM_XLEARN;
    for (int normalization = FASTFM_AS_IS; normalization <= last; normalization++) {
        CASE("%s: %s, real f%d, data f%d, index i%d, k %d, outputs %d, fields %d, loss %d, "
             "normalization %d",
             shape, type.n_fields ? "ffm" : "fm", (int)type_size(type.real) * 8,
             (int)type_size(type.data) * 8, (int)type_size(type.index) * 8, (int)type.k,
             (int)type.n_outputs, (int)type.n_fields, (int)P.loss.kind, normalization);
        P.m.c.normalization = (fastfm_normalization)normalization;
        check_problem(&P, has_repeats || normalization != FASTFM_AS_IS, all_threads);
    }
    problem_free(&P);
}

static void test_case(const char *shape, const matrix *rows, kind type, int all_threads)
{
    test_rows_of(shape, rows, type, 0, all_threads);
}

/* indptr that starts after 0 and ends before nnz; what lies outside is garbage. */
static matrix rows_between_garbage(void)
{
    static const int64_t garbage[] = {-1, INT32_MAX, INT32_MIN, 1000, 30};
    matrix m = matrix_new(30);
    for (int64_t p = 0; p < COUNT(garbage); p++)
        matrix_add(&m, garbage[p], NAN);
    m.indptr[0] = m.nnz;
    for (int64_t z = 0; z < 12; z++)
        matrix_random_row(&m, z, z % 2 == 0, 0);
    for (int64_t p = 0; p < COUNT(garbage); p++)
        matrix_add(&m, garbage[p], NAN);
    return m;
}

/* So many rows that three threads pay. */
static matrix rows_for_threads(kind type)
{
    const int64_t z = type.n_fields ? 24 : 12,
                  per_value = type.k * type.n_outputs * (type.n_fields ? 16 : 1);
    return matrix_equal_rows(1 + 640000 / (per_value * z), z, 150);
}

static void test_threads(kind type)
{
    matrix rows = rows_for_threads(type);
    test_case("threads", &rows, type, 1);
    matrix_free(&rows);
}

static void test_shapes(kind type, int is_ffm)
{
    matrix shapes[] = {matrix_mixed_rows(1),
                       matrix_mixed_rows(40),
                       rows_between_garbage(),
                       matrix_equal_rows(9, 0, 5),
                       matrix_equal_rows(4, 0, 0),
                       matrix_new(6),
                       matrix_new(0)};
    static const char *const names[] = {"one feature", "40 features", "between garbage",
                                        "empty rows",  "no features", "no rows",
                                        "nothing"};
    static const int64_t n_fields[] = {1, 16, 3, 2, 1, 2, 1};
    for (int64_t s = 0; s < COUNT(shapes); s++) {
        type.n_fields = is_ffm ? n_fields[s] : 0;
        test_case(names[s], &shapes[s], type, 0);
    }
    type.n_fields = 40;
    if (is_ffm)
        test_case("40 fields", &shapes[1], type, 0);
    for (int64_t s = 0; s < COUNT(shapes); s++)
        matrix_free(&shapes[s]);
}

/* So many outputs that the rows of several threads' batch (4 MB) are not all. */
static void test_batches(void)
{
    matrix m = matrix_equal_rows(1700, 2, 50);
    test_case("batches", &m, (kind){FASTFM_F64, FASTFM_F32, FASTFM_I32, 70, 40, 0}, 0);
    matrix_free(&m);
}

static void test_repeats(const int64_t *factors, int64_t n)
{
    matrix m = matrix_repeated_rows(24, 40, 50, 2);
    for (int64_t i = 0; i < n * 32; i++)
        test_rows_of("repeats", &m, kind_of(i % 32, factors[i / 32]), 1, 0);
    matrix_free(&m);
}

void test_few_models(void)
{
    static const int64_t factors[] = {4, 17};
    matrix m;
    random_state = 1;
    m = matrix_mixed_rows(80);
    for (int64_t i = 0; i < COUNT(factors) * 32; i++)
        test_case("mixed", &m, kind_of(i % 32, factors[i / 32]), 0);
    matrix_free(&m);
    test_repeats(factors, 1);
}

void test_models(void)
{
    static const int64_t factors[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
                                      14, 15, 16, 17, 18, 19, 20, 31, 32, 33, 64, 65, 70};
    static const int64_t with_repeats[] = {1, 4, 17};
    matrix m;
    random_state = 1;
    m = matrix_mixed_rows(80);
    for (int64_t i = 0; i < COUNT(factors) * 32; i++) {
        const kind type = kind_of(i % 32, factors[i / 32]);
        test_case("mixed", &m, type, 0);
        if (type.k == 4 || type.k == 17 || type.k == 70)
            test_shapes(type, type.n_fields > 0);
        if (type.n_outputs == 1 ? type.k == 1 || type.k == 33 : type.k == 70)
            test_threads(type);
    }
    matrix_free(&m);
    test_batches();
    test_repeats(with_repeats, COUNT(with_repeats));
}
