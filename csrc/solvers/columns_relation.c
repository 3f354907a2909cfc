/* Relations of a plan: columns whose values repeat, because the rows of an anchor, say a user, all have the
 * same. They are looked for with the columns of each colour that every row has as anchors. */
#include "solvers/columns_relation.h"

#include <stdlib.h>
#include <string.h>

#define MOST_TRIES 16 /* colours of anchors */

/* What is found of the columns that repeat with the anchors of one colour. */
typedef struct {
    const column_plan *plan;
    const fastfm_csr *X;
    int32_t *anchors; /* (n_columns,) of which n_anchors are used */
    int64_t n_anchors;
    int32_t *last_seen; /* (n_columns,) 1 + the last anchor whose first row has the column */
    int32_t *counts;    /* (n_columns,) rows of it with the value of the first */
    double *values;     /* (n_columns,) that value */
    uint8_t *differs;   /* (n_columns,) whether a column does not repeat, or is taken */
} search;

static void search_close(search *s)
{
    free(s->anchors);
    free(s->last_seen);
    free(s->counts);
    free(s->values);
    free(s->differs);
}

static fastfm_status search_open(search *s, const column_plan *plan, const fastfm_csr *X)
{
    const size_t n = (size_t)plan->n_columns + 1;
    *s = (search){.plan = plan, .X = X};
    s->anchors = (int32_t *)malloc(n * sizeof(int32_t));
    s->last_seen = (int32_t *)malloc(n * sizeof(int32_t));
    s->counts = (int32_t *)malloc(n * sizeof(int32_t));
    s->values = (double *)malloc(n * sizeof(double));
    s->differs = (uint8_t *)malloc(n);
    return s->anchors && s->last_seen && s->counts && s->values && s->differs ? FASTFM_OK
                                                                              : FASTFM_NO_MEMORY;
}

/* Where row i of the plan begins in X; its end to *end. */
static int64_t row_range(const search *s, int64_t i, int64_t *end)
{
    const int64_t row = row_in_X(s->plan, i);
    *end = index_at(s->X->indptr, s->X->index_type, row + 1);
    return index_at(s->X->indptr, s->X->index_type, row);
}

/* Value p of X as the plan has it, and its column. */
static double entry(const search *s, int64_t p, int64_t *column)
{
    const double x = real_at(s->X->data, s->X->data_type, p);
    *column = index_at(s->X->indices, s->X->index_type, p);
    return s->plan->real == FASTFM_F32 ? (double)(float)x : x;
}

/* Marks the columns that differ among the rows of anchor number a. */
static void compare_rows(search *s, int64_t a)
{
    const column_plan *plan = s->plan;
    const int64_t first = plan->begins[s->anchors[a]], last = plan->begins[s->anchors[a] + 1];
    const int32_t mark = (int32_t)a + 1;
    int64_t column, end, p;
    double x;
    for (int64_t t = first; t < last; t++)
        for (p = row_range(s, plan->rows[t], &end); p < end; p++) {
            x = entry(s, p, &column);
            if (x == 0)
                continue;
            if (t == first) {
                s->last_seen[column] = mark;
                s->values[column] = x;
                s->counts[column] = 1;
            } else if (s->last_seen[column] == mark && s->values[column] == x) {
                s->counts[column]++;
            } else {
                s->differs[column] = 1;
            }
        }
    for (p = row_range(s, plan->rows[first], &end); p < end; p++)
        if (entry(s, p, &column) != 0 && s->counts[column] != last - first)
            s->differs[column] = 1;
}

/* The values of an anchor's first row that repeat. */
static int64_t shared_values(const search *s, int64_t a)
{
    int64_t column, end, n = 0;
    const int64_t first = s->plan->rows[s->plan->begins[s->anchors[a]]];
    for (int64_t p = row_range(s, first, &end); p < end; p++)
        n += entry(s, p, &column) != 0 && !s->differs[column];
    return n;
}

/* Sets anchors to the columns of a colour. Returns whether every row has one, and two rows or more the
 * same. */
static int choose_anchors(search *s, const int32_t *colour_of, int64_t colour)
{
    const column_plan *plan = s->plan;
    int64_t n_values = 0;
    s->n_anchors = 0;
    for (int64_t j = 0; j < plan->n_columns; j++)
        if (colour_of[j] == colour) {
            s->anchors[s->n_anchors++] = (int32_t)j;
            n_values += plan->begins[j + 1] - plan->begins[j];
        }
    return n_values == plan->n_rows && 2 * s->n_anchors <= plan->n_rows;
}

/* Looks for the columns that repeat, among those that are not in another relation. Returns the number of
 * their values in shared rows, or 0 if it does not pay: a value of a shared row costs three times one of a
 * row, and each row costs one. */
static int64_t find_repeats(search *s)
{
    const column_plan *plan = s->plan;
    int64_t n_values = 0, n_shared = 0;
    memset(s->last_seen, 0, (size_t)plan->n_columns * sizeof(int32_t));
    memcpy(s->differs, plan->relation_of, (size_t)plan->n_columns);
    for (int64_t a = 0; a < s->n_anchors; a++)
        compare_rows(s, a);
    for (int64_t j = 0; j < plan->n_columns; j++)
        n_values += s->differs[j] ? 0 : plan->begins[j + 1] - plan->begins[j];
    for (int64_t a = 0; a < s->n_anchors; a++)
        n_shared += shared_values(s, a);
    return n_values >= 2 * (plan->n_rows + 3 * n_shared) ? n_shared : 0;
}

/* An array of a CSR matrix that open_csr has made. */
static void *writable(const void *array) { return (void *)(uintptr_t)array; }

/* Allocates a CSR matrix of the types of X. */
static fastfm_status open_csr(fastfm_csr *csr, const fastfm_csr *X, int64_t n_rows, int64_t nnz)
{
    const size_t index = X->index_type == FASTFM_I64 ? 8 : 4;
    *csr = (fastfm_csr){.n_rows = n_rows,
                        .nnz = nnz,
                        .indptr = malloc((size_t)(n_rows + 1) * index),
                        .indices = malloc((size_t)(nnz + 1) * index),
                        .data = malloc((size_t)(nnz + 1) * real_size(X->data_type)),
                        .index_type = X->index_type,
                        .data_type = X->data_type};
    return csr->indptr && csr->indices && csr->data ? FASTFM_OK : FASTFM_NO_MEMORY;
}

/* Appends the values of row i of the plan whose columns are in `relation` (0: in none), from place `at` on;
 * returns the place after. With csr NULL they are only counted. */
static int64_t append_row(const search *s, int64_t i, int relation, fastfm_csr *csr, int64_t at)
{
    int64_t column, end;
    for (int64_t p = row_range(s, i, &end); p < end; p++) {
        const double x = entry(s, p, &column);
        if (x == 0 || s->plan->relation_of[column] != relation)
            continue;
        if (csr) {
            set_index(writable(csr->indices), csr->index_type, at, column);
            set_real(writable(csr->data), csr->data_type, at, x);
        }
        at++;
    }
    return at;
}

/* Makes relation number n_relations + 1 of the columns that repeat. */
static fastfm_status make_relation(column_plan *plan, const search *s, int64_t n_values)
{
    column_relation *made = plan->relations + plan->n_relations++;
    const int number = (int)plan->n_relations;
    const fastfm_targets none = {0};
    const fastfm_loss loss = {.kind = FASTFM_SQUARED};
    int64_t at = 0, row = 0, bad_row;
    made->n_shared = s->n_anchors;
    made->shared_of = (int32_t *)malloc((size_t)(plan->n_rows + 1) * sizeof(int32_t));
    made->row_order = (int32_t *)malloc((size_t)(plan->n_rows + 1) * sizeof(int32_t));
    made->row_begins = (int64_t *)malloc((size_t)(s->n_anchors + 1) * sizeof(int64_t));
    if (!made->shared_of || !made->row_order || !made->row_begins ||
        open_csr(&made->X, s->X, s->n_anchors, n_values) != FASTFM_OK)
        return FASTFM_NO_MEMORY;
    for (int64_t j = 0; j < plan->n_columns; j++)
        if (!s->differs[j] && plan->begins[j + 1] > plan->begins[j])
            plan->relation_of[j] = (uint8_t)number;
    for (int64_t a = 0; a < s->n_anchors; a++) {
        const int64_t first = plan->begins[s->anchors[a]], last = plan->begins[s->anchors[a] + 1];
        set_index(writable(made->X.indptr), made->X.index_type, a, at);
        made->row_begins[a] = row;
        at = append_row(s, plan->rows[first], number, &made->X, at);
        for (int64_t t = first; t < last; t++) {
            made->shared_of[plan->rows[t]] = (int32_t)a;
            made->row_order[row++] = plan->rows[t];
        }
    }
    set_index(writable(made->X.indptr), made->X.index_type, s->n_anchors, at);
    made->row_begins[s->n_anchors] = row;
    made->plan = (column_plan *)calloc(1, sizeof(column_plan));
    return made->plan ? plan_flat(made->plan, &made->X, plan->n_columns, plan->real, &loss, &none,
                                  &bad_row)
                      : FASTFM_NO_MEMORY;
}

/* The rows of the plan without the columns of relations. */
static fastfm_status make_own(column_plan *plan, const search *s)
{
    int64_t at = 0;
    for (int64_t i = 0; i < plan->n_rows; i++)
        at = append_row(s, i, 0, NULL, at);
    if (open_csr(&plan->own, s->X, plan->n_rows, at) != FASTFM_OK)
        return FASTFM_NO_MEMORY;
    at = 0;
    for (int64_t i = 0; i < plan->n_rows; i++) {
        set_index(writable(plan->own.indptr), plan->own.index_type, i, at);
        at = append_row(s, i, 0, &plan->own, at);
    }
    set_index(writable(plan->own.indptr), plan->own.index_type, plan->n_rows, at);
    return FASTFM_OK;
}

fastfm_status plan_relations(column_plan *plan, const fastfm_csr *X, const int32_t *colour_of)
{
    search s;
    fastfm_status status;
    int tries = 0;
    if (plan->nnz < 4 * plan->n_rows) /* too few values to repeat */
        return FASTFM_OK;
    plan->relation_of = (uint8_t *)calloc((size_t)plan->n_columns + 1, 1);
    plan->relations = (column_relation *)calloc(MOST_TRIES, sizeof(column_relation));
    status = search_open(&s, plan, X);
    if (!plan->relation_of || !plan->relations)
        status = FASTFM_NO_MEMORY;
    for (int64_t c = 0; c < plan->n_colours && tries < MOST_TRIES && status == FASTFM_OK; c++) {
        if (!choose_anchors(&s, colour_of, c))
            continue;
        tries++;
        const int64_t n_values = find_repeats(&s);
        if (n_values > 0)
            status = make_relation(plan, &s, n_values);
    }
    if (status == FASTFM_OK && plan->n_relations > 0)
        status = make_own(plan, &s);
    search_close(&s);
    return status;
}

static void close_csr(fastfm_csr *csr)
{
    free(writable(csr->indptr));
    free(writable(csr->indices));
    free(writable(csr->data));
}

void plan_relations_close(column_plan *plan)
{
    for (int64_t r = 0; r < plan->n_relations; r++) {
        column_relation *relation = plan->relations + r;
        close_csr(&relation->X);
        free(relation->shared_of);
        free(relation->row_order);
        free(relation->row_begins);
        if (relation->plan)
            column_plan_close(relation->plan);
        free(relation->plan);
    }
    close_csr(&plan->own);
    free(plan->relations);
    free(plan->relation_of);
}
