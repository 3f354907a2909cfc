/* The plan of the columns of an FFM, from the kinds of its fields. */
#include "solvers/kinds.h"

#include <stdlib.h>
#include <string.h>

/* A chunk of rows, of which there are at most MOST_CHUNKS: each has its own sums by pairs of kinds, and so a
 * table is no larger than a chunk. */
#define LEAST_CHUNK 4096
#define MOST_CHUNKS 64

/* n numbers of `bytes` bytes each, which the plan counts; NULL without memory. */
static void *numbers(kind_plan *plan, int64_t n, size_t bytes)
{
    plan->bytes += n * (int64_t)bytes;
    return malloc((size_t)(n + 1) * bytes);
}

/* The columns that have values, by fields. */
static fastfm_status order_columns(kind_plan *plan, const int32_t *field_of)
{
    int64_t n = 0;
    for (int64_t j = 0; j < plan->n_columns; j++)
        if (plan->begins[j + 1] > plan->begins[j])
            plan->fields[field_of[j]].end++, n++;
    plan->order = (int32_t *)numbers(plan, n, sizeof(int32_t));
    if (!plan->order)
        return FASTFM_NO_MEMORY;
    n = 0;
    for (int64_t a = 0; a < plan->n_fields; a++) {
        plan->fields[a].first = n;
        n += plan->fields[a].end;
        plan->fields[a].end = plan->fields[a].first;
    }
    for (int64_t j = 0; j < plan->n_columns; j++)
        if (plan->begins[j + 1] > plan->begins[j])
            plan->order[plan->fields[field_of[j]].end++] = (int32_t)j;
    return FASTFM_OK;
}

/* The rows that have values of a field, unless all do. */
static fastfm_status hold_rows(kind_plan *plan, field_kinds *field)
{
    const int64_t n = plan->rows.n_rows;
    int64_t kept = 0;
    if (field->n_kinds == 1 || field->n_held == n)
        return FASTFM_OK;
    field->held = (int32_t *)numbers(plan, field->n_held, sizeof(int32_t));
    if (!field->held)
        return FASTFM_NO_MEMORY;
    for (int64_t i = 0; i < n; i++)
        if (field->kind_of[i])
            field->held[kept++] = (int32_t)i;
    return FASTFM_OK;
}

/* Rows by kinds. */
static fastfm_status sort_rows(kind_plan *plan, field_kinds *field)
{
    const int64_t n = plan->rows.n_rows;
    field->begins = (int64_t *)calloc((size_t)field->n_kinds + 2, sizeof(int64_t));
    field->rows = (int32_t *)numbers(plan, n, sizeof(int32_t));
    plan->bytes += 8 * field->n_kinds;
    if (!field->begins || !field->rows)
        return FASTFM_NO_MEMORY;
    for (int64_t i = 0; i < n; i++)
        field->begins[field->kind_of[i] + 1]++;
    for (int64_t q = 0; q < field->n_kinds; q++)
        field->begins[q + 1] += field->begins[q];
    for (int64_t i = 0; i < n; i++)
        field->rows[field->begins[field->kind_of[i]]++] = (int32_t)i;
    memmove(field->begins + 1, field->begins, (size_t)field->n_kinds * sizeof(int64_t));
    field->begins[0] = 0;
    return FASTFM_OK;
}

/* Columns of about TASK_VALUES rows. Where two columns may share a row, one task has them all. */
static fastfm_status share_columns(kind_plan *plan, field_kinds *field)
{
    int64_t cost = 0;
    field->tasks = (plan_range *)numbers(plan, field->end - field->first, sizeof(plan_range));
    if (!field->tasks)
        return FASTFM_NO_MEMORY;
    field->tasks[0] = (plan_range){field->first, field->first};
    for (int64_t c = field->first; c < field->end; c++) {
        const int64_t j = plan->order[c];
        if (cost >= TASK_VALUES && !field->has_groups) {
            field->tasks[++field->n_tasks] = (plan_range){c, c};
            cost = 0;
        }
        for (int64_t t = plan->begins[j]; t < plan->begins[j + 1]; t++)
            cost += field->begins[plan->kinds[t] + 1] - field->begins[plan->kinds[t]];
        cost += TASK_COLUMN_VALUES;
        field->tasks[field->n_tasks].end = c + 1;
    }
    field->n_tasks++;
    return FASTFM_OK;
}

/* Whether a field meets another in more pairs of kinds than a table has. */
static int needs_rows(const kind_plan *plan, int64_t a)
{
    for (int64_t b = 0; b < plan->n_fields && plan->fields[a].n_kinds > 1; b++)
        if (a != b && plan->fields[b].n_kinds > 1 &&
            !is_table(plan, plan->fields + a, plan->fields + b))
            return 1;
    return 0;
}

static fastfm_status order_kinds(kind_plan *plan)
{
    const int64_t n = plan->rows.n_rows;
    fastfm_status status = FASTFM_OK;
    plan->chunk_rows = max_i64(LEAST_CHUNK, (n + MOST_CHUNKS - 1) / MOST_CHUNKS);
    plan->most_cells = min_i64(plan->chunk_rows, 2 * n + 2);
    for (int64_t a = 0; a < plan->n_fields && status == FASTFM_OK; a++) {
        field_kinds *field = plan->fields + a;
        plan->most_kinds = max_i64(plan->most_kinds, field->n_kinds);
        plan->bytes += field->n_kinds > 1 ? 4 * n : 0;
        status = hold_rows(plan, field);
        if (status != FASTFM_OK || !needs_rows(plan, a))
            continue;
        status = sort_rows(plan, field);
        if (status == FASTFM_OK)
            status = share_columns(plan, field);
    }
    return status;
}

fastfm_status kind_plan_open(kind_plan *plan, const fastfm_csr *X, const fastfm_model *model,
                             const int64_t *rows, int64_t n, const fastfm_loss *loss,
                             const fastfm_targets *targets, int64_t *bad_row)
{
    fastfm_status status;
    memset(plan, 0, sizeof *plan);
    plan->n_columns = model->n_features;
    plan->n_fields = model->n_fields;
    status =
        plan_rows(&plan->rows, X, model->real, rows, rows ? n : X->n_rows, loss, targets, bad_row);
    if (status != FASTFM_OK)
        return status;
    plan->fields = (field_kinds *)calloc((size_t)plan->n_fields + 1, sizeof(field_kinds));
    if (!plan->fields)
        return FASTFM_NO_MEMORY;
    for (int64_t a = 0; a < plan->n_fields; a++)
        plan->fields[a].n_kinds = 1;
    status = find_kinds(plan, X, model->fields);
    plan->bytes += 12 * plan->n_values + 8 * plan->n_columns;
    if (status == FASTFM_OK)
        status = order_columns(plan, model->fields);
    return status == FASTFM_OK ? order_kinds(plan) : status;
}

void kind_plan_close(kind_plan *plan)
{
    for (int64_t a = 0; plan->fields && a < plan->n_fields; a++) {
        free(plan->fields[a].kind_of);
        free(plan->fields[a].held);
        free(plan->fields[a].begins);
        free(plan->fields[a].rows);
        free(plan->fields[a].tasks);
    }
    free(plan->fields);
    free(plan->order);
    free(plan->begins);
    free(plan->kinds);
    free(plan->values);
    column_plan_close(&plan->rows);
    memset(plan, 0, sizeof *plan);
}
