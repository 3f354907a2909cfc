/* What a sweep over the parameters of an FFM does to rows (field_columns.h). */
#include <string.h>

#include "kernels/dispatch.h"
#include "losses/loss.h"
#include "solvers/field_columns.h"

/* The rows that a unit is about, or NULL: all. In a pair those of the field that fewer rows have. */
static const int32_t *rows_of(const fastfm_field_columns *columns, const field_unit *unit,
                              int64_t *n)
{
    const field_kinds *a, *b;
    *n = columns->plan.rows.n_rows;
    if (unit->a < 0)
        return NULL;
    a = columns->plan.fields + unit->a;
    b = unit->b < 0 ? a : columns->plan.fields + unit->b;
    a = b->n_held < a->n_held ? b : a;
    *n = a->n_held;
    return a->held;
}

/* The first place in ascending rows that is `row` or more. */
static int64_t place_of(const int32_t *rows, int64_t n, int64_t row)
{
    int64_t low = 0;
    if (!rows)
        return min_i64(row, n);
    while (low < n) {
        const int64_t middle = low + (n - low) / 2;
        if (rows[middle] < row)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

/* The cell of row i in a unit. */
FORCE_INLINE int64_t cell_of(const int32_t *a, const int32_t *b, int64_t n_b, int64_t i)
{
    return a ? (b ? a[i] * n_b + b[i] : a[i]) : 0;
}

static void add_to_score(const fastfm_field_columns *columns, int64_t i, double step)
{
    if (columns->model.real == FASTFM_F32)
        ((float *)columns->scores)[i] += (float)step;
    else
        ((double *)columns->scores)[i] += step;
}

/* What a row's cell is found by: kinds of the unit's fields, and how many the second has. */
static void cells_of_rows(const fastfm_field_columns *columns, const field_unit *unit,
                          const int32_t **a, const int32_t **b, int64_t *n_b)
{
    const field_kinds *fields = columns->plan.fields;
    *a = unit->a < 0 ? NULL : fields[unit->a].kind_of;
    *b = unit->b < 0 ? NULL : fields[unit->b].kind_of;
    *n_b = unit->b < 0 ? 1 : fields[unit->b].n_kinds;
}

/* Adds the steps of the last unit to the scores of rows [begin, end). */
static void add_steps(fastfm_field_columns *columns, int64_t begin, int64_t end)
{
    const field_unit *last = &columns->last;
    const int32_t *a, *b, *rows;
    int64_t n, n_b, stop;
    if (!last->exists)
        return;
    rows = rows_of(columns, last, &n);
    cells_of_rows(columns, last, &a, &b, &n_b);
    stop = place_of(rows, n, end);
    for (int64_t at = place_of(rows, n, begin); at < stop; at++) {
        const int64_t i = rows ? rows[at] : at;
        if (last->by_rows) {
            add_to_score(columns, i, columns->row_steps[i]);
            columns->row_steps[i] = 0;
        } else {
            add_to_score(columns, i, columns->steps[cell_of(a, b, n_b, i)]);
        }
    }
}

/* What the kernel reads of n rows: their numbers of the model's type at `from`, in order. */
static const void *gather(const fastfm_field_columns *columns, const void *from,
                          const int32_t *rows, int64_t at, int64_t n, double *room)
{
    const fastfm_type real = columns->model.real;
    if (!from || !rows)
        return from ? (const char *)from + at * (int64_t)real_size(real) : NULL;
    for (int64_t i = 0; i < n; i++)
        set_real(room, real, i, real_at(from, real, rows[at + i]));
    return room;
}

/* Slopes and curvatures of rows [begin, end), to those of rows or to the table of the chunk. */
static void add_slopes(fastfm_field_columns *columns, int64_t block, int64_t begin, int64_t end)
{
    const field_unit *unit = &columns->unit;
    const int64_t cells = unit->by_rows ? 0 : unit_cells(columns, unit);
    const int is_table = !unit->by_rows && cells <= columns->plan.most_cells;
    const int64_t first = is_table ? block * cells : 0;
    double *g = columns->row_slopes + first, *h = columns->row_curvatures + first;
    double slopes[SLOPE_RUN], curvatures[SLOPE_RUN], room[3][SLOPE_RUN];
    const int32_t *a, *b, *rows;
    int64_t n, n_b, stop;
    rows = rows_of(columns, unit, &n);
    cells_of_rows(columns, unit, &a, &b, &n_b);
    if (is_table) {
        memset(g, 0, (size_t)cells * sizeof(double));
        memset(h, 0, (size_t)cells * sizeof(double));
    }
    stop = place_of(rows, n, end);
    for (int64_t at = place_of(rows, n, begin), m; at < stop; at += m) {
        m = min_i64(stop - at, SLOPE_RUN);
        kernels()->column_slopes[columns->model.real == FASTFM_F64](
            gather(columns, columns->scores, rows, at, m, room[0]),
            gather(columns, columns->plan.rows.targets, rows, at, m, room[1]),
            gather(columns, columns->plan.rows.weights, rows, at, m, room[2]), m, slopes,
            curvatures);
        for (int64_t t = 0; t < m; t++) {
            const int64_t i = rows ? rows[at + t] : at + t;
            const int64_t cell = is_table ? cell_of(a, b, n_b, i) : i;
            g[cell] = (is_table ? g[cell] : 0) + slopes[t];
            h[cell] = (is_table ? h[cell] : 0) + curvatures[t];
        }
    }
}

void field_pass(void *context, int64_t block, int thread)
{
    fastfm_field_columns *columns = (fastfm_field_columns *)context;
    const int64_t size = columns->plan.chunk_rows, begin = block * size;
    const int64_t end = min_i64(begin + size, columns->plan.rows.n_rows);
    (void)thread;
    add_steps(columns, begin, end);
    add_slopes(columns, block, begin, end);
}

void field_add_losses(void *context, int64_t block, int thread)
{
    fastfm_field_columns *columns = (fastfm_field_columns *)context;
    const column_plan *plan = &columns->plan.rows;
    const fastfm_type real = columns->model.real;
    const int64_t size = columns->plan.chunk_rows, begin = block * size;
    const int64_t end = min_i64(begin + size, plan->n_rows);
    double total = 0;
    (void)thread;
    add_steps(columns, begin, end);
    for (int64_t i = begin; i < end; i++) {
        const double e = real_at(columns->scores, real, i);
        if (columns->loss.kind == FASTFM_SQUARED)
            total += 0.5 * e * e * (plan->weights ? real_at(plan->weights, real, i) : 1);
        else
            total += weighted_loss_at(&columns->loss, &columns->targets, row_in_X(plan, i), e);
    }
    columns->totals[block] = total;
}
