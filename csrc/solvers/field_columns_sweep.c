/* The order of the phases of a sweep over the parameters of an FFM (field_columns.h). */
#include "solvers/field_columns.h"

/* What a phase costs, in multiply-adds. */
static double cost_of(const fastfm_field_columns *columns)
{
    const double k = (double)min_i64(columns->model.n_factors, 16),
                 n = (double)columns->plan.rows.n_rows;
    const double blocks = (double)columns->model.n_factors / k;
    switch (columns->stage) {
    case FIELD_SOLVING:
        return (double)unit_cells(columns, &columns->unit) * k * k * blocks;
    case FIELD_SUMMING:
    case FIELD_VISITING:
        return n * k * k * blocks;
    default:
        return 8 * n;
    }
}

/* Whether any row has values of a field. */
static int is_there(const fastfm_field_columns *columns, int64_t field)
{
    return columns->plan.fields[field].n_kinds > 1;
}

/* The unit after `unit`: w0, the fields, and then the pairs of fields. Fields without values are left
 * out. */
static field_unit next_unit(const fastfm_field_columns *columns, field_unit unit)
{
    const int64_t n = columns->plan.n_fields;
    const field_kinds *fields = columns->plan.fields;
    const int is_alone = unit.b < 0;
    if (is_alone) {
        do
            unit.a++;
        while (unit.a < n && !is_there(columns, unit.a));
        if (unit.a < n)
            return unit;
        unit.a = -1;
    }
    for (unit.a = is_alone ? 0 : unit.a; unit.a < n; unit.a++, unit.b = -1) {
        if (!is_there(columns, unit.a))
            continue;
        for (unit.b = unit.b < 0 ? unit.a + 1 : unit.b + 1; unit.b < n; unit.b++)
            if (is_there(columns, unit.b)) {
                unit.by_rows = !is_table(&columns->plan, fields + unit.a, fields + unit.b);
                return unit;
            }
    }
    unit.exists = 0;
    return unit;
}

/* Goes to the pass of a unit, or, if there is none, to what follows the last. */
static void begin_unit(fastfm_field_columns *columns, field_unit unit)
{
    columns->unit = unit;
    columns->stage = unit.exists ? FIELD_PASS : FIELD_ABSENT;
}

static void end_adding(fastfm_field_columns *columns)
{
    columns->last.exists = 0;
    columns->loss_sum = 0;
    for (int64_t block = 0; block < columns->n_chunks; block++)
        columns->loss_sum += columns->totals[block];
    columns->stage = FIELD_AT_END;
}

/* After the blocks of a stage: the next one. */
static void move_on(fastfm_field_columns *columns)
{
    switch (columns->stage) {
    case FIELD_PASS:
        columns->last.exists = 0;
        columns->side = 0;
        columns->stage = columns->unit.by_rows ? FIELD_SUMMING : FIELD_SOLVING;
        return;
    case FIELD_SUMMING:
        columns->stage = FIELD_VISITING;
        return;
    case FIELD_VISITING:
        columns->stage = FIELD_SUMMING;
        if (columns->side++ == 0)
            return;
        break;
    case FIELD_SOLVING:
        break;
    case FIELD_ABSENT:
        columns->n_sweeps++;
        columns->stage = FIELD_ADDING;
        return;
    default:
        end_adding(columns);
        return;
    }
    columns->last = columns->unit;
    begin_unit(columns, next_unit(columns, columns->unit));
}

/* The body of a stage, and its blocks. */
static parallel_block body_of(const fastfm_field_columns *columns, int64_t *n_blocks)
{
    const field_unit *unit = &columns->unit;
    *n_blocks = columns->n_chunks;
    switch (columns->stage) {
    case FIELD_PASS:
        return field_pass;
    case FIELD_SOLVING:
        *n_blocks = 1;
        return field_solve;
    case FIELD_SUMMING:
        *n_blocks = 1;
        return field_sum_kinds;
    case FIELD_VISITING:
        *n_blocks = columns->plan.fields[columns->side ? unit->b : unit->a].n_tasks;
        return field_visit_task;
    case FIELD_ABSENT:
        *n_blocks = (columns->plan.n_columns + FIELD_CHUNK - 1) / FIELD_CHUNK;
        return field_absent;
    default:
        return field_add_losses;
    }
}

int next_field_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    fastfm_field_columns *columns = (fastfm_field_columns *)context;
    for (;;) {
        if (columns->has_phase)
            move_on(columns);
        columns->has_phase = 0;
        if (columns->stage == FIELD_AT_END || columns->work <= 0)
            return 0;
        columns->work -= cost_of(columns);
        columns->has_phase = 1;
        *body = body_of(columns, n_blocks);
        if (*n_blocks > 0)
            return 1;
    }
}
