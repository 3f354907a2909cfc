/* The plan: which rows count, and X by columns, by a counting sort. */
#include "solvers/columns_plan.h"

#include <stdlib.h>
#include <string.h>

#include "losses/loss.h"
#include "solvers/columns_relation.h"

/* n numbers of `bytes` bytes each, or NULL without memory; never of size 0. */
static void *numbers(int64_t n, size_t bytes) { return malloc((size_t)(n + 1) * bytes); }

/* The row of X that is row i of those to learn from. */
static int64_t row_of(const int64_t *rows, int64_t i) { return rows ? rows[i] : i; }

static double weight_of(const fastfm_targets *targets, int64_t row)
{
    return targets->weight ? targets->weight[row] : 1;
}

/* Chooses the rows that count: sets n_rows, row_ids, weights and weight_sum. */
static fastfm_status choose_rows(column_plan *plan, const fastfm_csr *X, const int64_t *rows,
                                 int64_t n, const fastfm_targets *targets, int64_t *bad_row)
{
    int is_weighted = 0;
    for (int64_t i = 0; i < n; i++) {
        if (row_of(rows, i) < 0 || row_of(rows, i) >= X->n_rows) {
            *bad_row = i;
            return FASTFM_BAD_ROW;
        }
        const double weight = weight_of(targets, row_of(rows, i));
        plan->n_rows += weight > 0;
        is_weighted |= weight > 0 && weight != 1;
    }
    if (rows || plan->n_rows < n)
        plan->row_ids = (int64_t *)numbers(plan->n_rows, sizeof(int64_t));
    if (is_weighted)
        plan->weights = numbers(plan->n_rows, real_size(plan->real));
    if (((rows || plan->n_rows < n) && !plan->row_ids) || (is_weighted && !plan->weights))
        return FASTFM_NO_MEMORY;
    for (int64_t i = 0, kept = 0; i < n; i++) {
        const double weight = weight_of(targets, row_of(rows, i));
        if (!(weight > 0))
            continue;
        if (plan->row_ids)
            plan->row_ids[kept] = row_of(rows, i);
        if (plan->weights)
            set_real(plan->weights, plan->real, kept, weight);
        plan->weight_sum += weight;
        kept++;
    }
    return FASTFM_OK;
}

/* Value p of X as the plan has it. */
static double planned_value(const column_plan *plan, const fastfm_csr *X, int64_t p)
{
    const double x = real_at(X->data, X->data_type, p);
    return plan->real == FASTFM_F32 ? (double)(float)x : x;
}

/* Counts the values of each column to begins[column + 1]. Returns whether all are 1. */
static int count_columns(column_plan *plan, const fastfm_csr *X, const int64_t *ids)
{
    int are_ones = 1;
    for (int64_t i = 0; i < plan->n_rows; i++) {
        const int64_t row = row_of(ids, i);
        const int64_t end = index_at(X->indptr, X->index_type, row + 1);
        for (int64_t p = index_at(X->indptr, X->index_type, row); p < end; p++) {
            const double x = planned_value(plan, X, p);
            plan->begins[index_at(X->indices, X->index_type, p) + 1] += x != 0;
            are_ones &= x == 1 || x == 0;
        }
    }
    return are_ones;
}

/* Writes rows and values of each column, from begins[column] on, which moves to the column's end. */
static void fill_columns(column_plan *plan, const fastfm_csr *X, const int64_t *ids)
{
    for (int64_t i = 0; i < plan->n_rows; i++) {
        const int64_t row = row_of(ids, i);
        const int64_t end = index_at(X->indptr, X->index_type, row + 1);
        for (int64_t p = index_at(X->indptr, X->index_type, row); p < end; p++) {
            const double x = planned_value(plan, X, p);
            if (x == 0)
                continue;
            const int64_t at = plan->begins[index_at(X->indices, X->index_type, p)]++;
            plan->rows[at] = (int32_t)i;
            if (plan->values)
                set_real(plan->values, plan->real, at, x);
        }
    }
}

/* X by columns. Within a column rows ascend in the order of the plan. ids: the rows of X that are those
 * of the plan, or NULL. */
static fastfm_status make_columns(column_plan *plan, const fastfm_csr *X, const int64_t *ids)
{
    const int64_t n = plan->n_columns;
    int are_ones;
    plan->begins = (int64_t *)calloc((size_t)n + 2, sizeof(int64_t));
    if (!plan->begins)
        return FASTFM_NO_MEMORY;
    are_ones = count_columns(plan, X, ids);
    for (int64_t j = 0; j < n; j++)
        plan->begins[j + 1] += plan->begins[j];
    plan->nnz = plan->begins[n];
    plan->rows = (int32_t *)numbers(plan->nnz, sizeof(int32_t));
    if (!are_ones)
        plan->values = numbers(plan->nnz, real_size(plan->real));
    if (!plan->rows || (!are_ones && !plan->values))
        return FASTFM_NO_MEMORY;
    fill_columns(plan, X, ids);
    memmove(plan->begins + 1, plan->begins, (size_t)n * sizeof(int64_t));
    plan->begins[0] = 0;
    return FASTFM_OK;
}

/* Smoothed labels of the logistic loss: p - t is its derivative. */
static fastfm_status make_targets(column_plan *plan, const fastfm_loss *loss,
                                  const fastfm_targets *targets)
{
    const double eps = loss->label_smoothing;
    if (loss->kind != FASTFM_LOGISTIC)
        return FASTFM_OK;
    plan->targets = numbers(plan->n_rows, real_size(plan->real));
    if (!plan->targets)
        return FASTFM_NO_MEMORY;
    for (int64_t i = 0; i < plan->n_rows; i++) {
        const double y = target_at(targets->y, targets->y_type, row_of(plan->row_ids, i));
        set_real(plan->targets, plan->real, i, y * (1 - eps) + eps / 2);
    }
    return FASTFM_OK;
}

fastfm_status plan_rows(column_plan *plan, const fastfm_csr *X, fastfm_type real,
                        const int64_t *rows, int64_t n, const fastfm_loss *loss,
                        const fastfm_targets *targets, int64_t *bad_row)
{
    fastfm_status status;
    memset(plan, 0, sizeof *plan);
    plan->real = real;
    status = choose_rows(plan, X, rows, n, targets, bad_row);
    return status == FASTFM_OK ? make_targets(plan, loss, targets) : status;
}

/* Leaves the columns of relations out. */
static fastfm_status without_relations(column_plan *plan, int32_t *colour_of)
{
    fastfm_status status;
    free(plan->begins);
    free(plan->rows);
    free(plan->values);
    plan->begins = NULL;
    plan->rows = NULL;
    plan->values = NULL;
    plan->n_colours = 0;
    status = make_columns(plan, &plan->own, NULL);
    return status == FASTFM_OK ? plan_colours(plan, colour_of) : status;
}

static fastfm_status open_plan(column_plan *plan, const fastfm_csr *X, int64_t n_columns,
                               fastfm_type real, const int64_t *rows, int64_t n,
                               const fastfm_loss *loss, const fastfm_targets *targets,
                               int finds_relations, int64_t *bad_row)
{
    int32_t *colour_of;
    fastfm_status status;
    memset(plan, 0, sizeof *plan);
    plan->n_columns = n_columns;
    plan->real = real;
    status = choose_rows(plan, X, rows, n, targets, bad_row);
    if (status == FASTFM_OK)
        status = make_columns(plan, X, plan->row_ids);
    if (status == FASTFM_OK)
        status = make_targets(plan, loss, targets);
    if (status != FASTFM_OK)
        return status;
    colour_of = (int32_t *)numbers(n_columns, sizeof(int32_t));
    status = colour_of ? plan_colours(plan, colour_of) : FASTFM_NO_MEMORY;
    if (status == FASTFM_OK && finds_relations)
        status = plan_relations(plan, X, colour_of);
    if (status == FASTFM_OK && plan->n_relations > 0)
        status = without_relations(plan, colour_of);
    if (status == FASTFM_OK)
        status = plan_tasks(plan, colour_of);
    free(colour_of);
    return status;
}

fastfm_status plan_flat(column_plan *plan, const fastfm_csr *X, int64_t n_columns, fastfm_type real,
                        const fastfm_loss *loss, const fastfm_targets *targets, int64_t *bad_row)
{
    return open_plan(plan, X, n_columns, real, NULL, X->n_rows, loss, targets, 0, bad_row);
}

/* Sums over shared rows stand for those of rows where e is known beforehand, so not for the logistic loss,
 * whose e is made of the score in each visit. */
fastfm_status column_plan_open(column_plan *plan, const fastfm_csr *X, int64_t n_columns,
                               fastfm_type real, const int64_t *rows, int64_t n,
                               const fastfm_loss *loss, const fastfm_targets *targets,
                               int64_t *bad_row)
{
    const int is_squared = loss->kind == FASTFM_SQUARED;
    fastfm_status status = open_plan(plan, X, n_columns, real, rows, rows ? n : X->n_rows, loss,
                                     targets, is_squared, bad_row);
    if (status == FASTFM_OK && is_squared && plan->n_relations == 0)
        status = plan_pairs(plan, X, targets);
    return status;
}

void column_plan_close(column_plan *plan)
{
    void *const arrays[] = {plan->row_ids, plan->begins,  plan->rows,  plan->values,
                            plan->targets, plan->weights, plan->order, plan->colours,
                            plan->tasks,   plan->heavy,   plan->chunks};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
    plan_relations_close(plan);
    memset(plan, 0, sizeof *plan);
}
