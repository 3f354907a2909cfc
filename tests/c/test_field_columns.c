/* Learning an FFM by columns: the same bits at every level and for any threads, sweeps that are never worse,
 * kinds and tables, and rows that are at fault. */
#include <math.h>
#include <stdlib.h>

#include "hashes.h"
#include "tests.h"

static fastfm_status run(fastfm_field_columns *columns, int num_threads, int64_t *bad_row)
{
    int is_done = 0;
    fastfm_status status = FASTFM_OK;
    while (!is_done && status == FASTFM_OK)
        status = fastfm_field_columns_go_on(columns, num_threads, &is_done, bad_row);
    return status;
}

static fastfm_field_columns *columns_open(const problem *P, const int64_t *rows, int64_t n_rows)
{
    fastfm_field_columns *columns = NULL;
    int64_t bad_row;
    CHECK(fastfm_field_columns_open(&P->X, rows, n_rows, &P->m.c, &P->loss, &P->targets, &columns,
                                    1, &bad_row) == FASTFM_OK);
    return columns;
}

/* Sweeps, each no worse than the last, to `end`; enough for scores to be computed afresh. */
static void sweep(const problem *P, int num_threads, int n_sweeps, model *end)
{
    fastfm_field_columns *columns = columns_open(P, NULL, 0);
    const double slack = P->m.c.real == FASTFM_F32 ? 1e-4 : 1e-11;
    double before, objective;
    int64_t bad_row;
    fastfm_field_columns_begin(columns, 0.125, 0.25, 0);
    CHECK(run(columns, num_threads, &bad_row) == FASTFM_OK);
    CHECK(fastfm_field_columns_objective(columns, &before, num_threads) == FASTFM_OK);
    for (int s = 0; s < n_sweeps; s++) {
        fastfm_field_columns_begin(columns, 0.125, 0.25, 1);
        CHECK(run(columns, num_threads, &bad_row) == FASTFM_OK);
        CHECK(fastfm_field_columns_objective(columns, &objective, num_threads) == FASTFM_OK);
        CHECK(objective <= before + slack * fabs(objective));
        before = objective;
    }
    fastfm_field_columns_read(columns, &end->c);
    fastfm_field_columns_close(columns);
}

static int same_parameters(const fastfm_model *a, const fastfm_model *b)
{
    const int64_t size = type_size(a->real);
    return same_bytes(a->w0, b->w0, size) && same_bytes(a->w, b->w, a->n_features * size) &&
           same_bytes(a->V, b->V, a->n_features * model_block(a) * size);
}

static void test_levels(const problem *P, int n_sweeps)
{
    const fastfm_model *m = &P->m.c;
    model first = model_random(m->n_features, m->n_fields, m->n_factors, 1, m->real);
    model other = model_random(m->n_features, m->n_fields, m->n_factors, 1, m->real);
    for (int level = 0; level < fastfm_n_levels(); level++)
        for (int num_threads = 1; num_threads <= 3; num_threads += 2) {
            model *end = level == 0 && num_threads == 1 ? &first : &other;
            fastfm_use_level(level);
            sweep(P, num_threads, n_sweeps, end);
            CHECK(same_parameters(&end->c, &first.c));
        }
    hash_columns(&first.c);
    model_free(&first);
    model_free(&other);
}

static void drop_weights(problem *P)
{
    free((void *)(uintptr_t)P->targets.weight);
    P->targets.weight = NULL;
}

static void test_rows_of(matrix *rows, int64_t k, int n_sweeps)
{
    for (int64_t i = 16; i < 24; i++) {
        problem P = problem_new(rows, kind_of(i, k));
        CASE("field columns: types %d, k %d, %d rows", (int)i, (int)k, (int)rows->n_rows);
        test_levels(&P, n_sweeps);
        problem_free(&P);
    }
}

/* Rows of a category, and of an id of which there are many: more pairs of kinds than rows. */
static matrix matrix_ids(int64_t n_rows)
{
    matrix m = matrix_new(2200);
    for (int64_t i = 0; i < n_rows; i++) {
        matrix_add(&m, random_below(6), 1);
        if (i % 9)
            matrix_add(&m, 6 + random_below(2194), i % 2 ? 1 : 0.5);
        matrix_end_row(&m);
    }
    return m;
}

/* What the plan counts: rows of two values in different fields, all equal but for one value. */
static void test_plan(void)
{
    matrix m = matrix_new(2);
    problem P;
    fastfm_field_columns *columns;
    fastfm_field_facts facts;
    CASE("field columns: plan");
    for (int64_t i = 0; i < 50; i++) {
        matrix_add(&m, 0, 1);
        matrix_add(&m, 1, i % 5 == 0 ? 0.5 : 2);
        matrix_end_row(&m);
    }
    P = problem_new(&m, kind_of(16, 3));
    drop_weights(&P);
    ((int32_t *)(uintptr_t)P.m.c.fields)[0] = 4;
    ((int32_t *)(uintptr_t)P.m.c.fields)[1] = 2;
    columns = columns_open(&P, NULL, 0);
    facts = fastfm_field_columns_plan(columns);
    CHECK(facts.n_rows == 50 && facts.nnz == 100 && facts.n_kinds == 3 && facts.bytes > 0);
    CHECK(facts.n_pairs == 1 && facts.n_tables == 1);
    fastfm_field_columns_close(columns);
    problem_free(&P);
    matrix_free(&m);
}

/* Row numbers outside of X, and columns that have changed after the plan was made. */
static void test_faults(void)
{
    const int64_t rows[] = {3, 0, 99};
    matrix m = matrix_equal_rows(9, 4, 20);
    problem P = problem_new(&m, kind_of(16, 4));
    fastfm_field_columns *columns = NULL;
    int64_t bad_row = -1;
    CASE("field columns: faults");
    drop_weights(&P);
    CHECK(fastfm_field_columns_open(&P.X, rows, 3, &P.m.c, &P.loss, &P.targets, &columns, 1,
                                    &bad_row) == FASTFM_BAD_ROW);
    CHECK(bad_row == 2 && !columns);
    columns = columns_open(&P, rows, 2);
    CHECK(fastfm_field_columns_plan(columns).n_rows == 2);
    set_index((void *)(uintptr_t)P.X.indices, P.X.index_type, 12, 1 << 30);
    fastfm_field_columns_begin(columns, 0.1, 0.1, 1);
    CHECK(run(columns, 1, &bad_row) == FASTFM_BAD_INDEX && bad_row == 3);
    fastfm_field_columns_close(columns);
    CHECK(fastfm_field_columns_open(&P.X, NULL, 0, &P.m.c, &P.loss, &P.targets, &columns, 1,
                                    &bad_row) == FASTFM_BAD_INDEX);
    CHECK(bad_row == 3 && !columns);
    fastfm_field_columns_close(NULL);
    problem_free(&P);
    matrix_free(&m);
}

void test_field_columns(void)
{
    matrix mixed = matrix_mixed_rows(70), ids;
    random_state = 22;
    ids = matrix_ids(9000);
    for (int64_t k = 3; k <= 19; k += 16)
        test_rows_of(&mixed, k, 12);
    test_rows_of(&ids, 4, 2);
    test_plan();
    test_faults();
    matrix_free(&ids);
    matrix_free(&mixed);
}
