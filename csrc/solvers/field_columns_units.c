/* What is solved in a unit of a sweep over the parameters of an FFM (field_columns.h). */
#include <string.h>

#include "solvers/field_visits.h"

/* Where V[j, b] begins. */
static int64_t factors_at(const fastfm_model *model, int64_t j, int64_t b)
{
    return (j * model->n_fields + b) * model->n_factors;
}

/* The sums R of the kinds of field a: of x V[l, b] over its columns l. */
static void add_sums(fastfm_field_columns *columns, int64_t a, int64_t b)
{
    const kind_plan *plan = &columns->plan;
    const field_kinds *field = plan->fields + a;
    const fastfm_model *model = &columns->model;
    const int64_t k = model->n_factors;
    memset(columns->sums, 0, (size_t)(field->n_kinds * k) * sizeof(double));
    for (int64_t c = field->first; c < field->end; c++) {
        const int64_t j = plan->order[c], at = factors_at(model, j, b);
        for (int64_t t = plan->begins[j]; t < plan->begins[j + 1]; t++) {
            double *sum = columns->sums + plan->kinds[t] * k;
            for (int64_t f = 0; f < k; f++)
                sum[f] += plan->values[t] * real_at(model->V, model->real, at + f);
        }
    }
}

/* Adds what chunks, or rows, have found to cells, in order. */
static void add_cells(fastfm_field_columns *columns, int64_t cells)
{
    const int is_table = cells <= columns->plan.most_cells;
    const field_kinds *field = is_table ? NULL : columns->plan.fields + columns->unit.a;
    const int64_t n = is_table ? columns->n_chunks * cells : field->n_held;
    memset(columns->slopes, 0, (size_t)cells * sizeof(double));
    memset(columns->curvatures, 0, (size_t)cells * sizeof(double));
    memset(columns->steps, 0, (size_t)cells * sizeof(double));
    for (int64_t at = 0, cell = 0; at < n; at++, cell = cell + 1 == cells ? 0 : cell + 1) {
        const int64_t i = is_table || !field->held ? at : field->held[at];
        const int64_t to = is_table ? cell : field->kind_of[i];
        columns->slopes[to] += columns->row_slopes[i];
        columns->curvatures[to] += columns->row_curvatures[i];
    }
}

/* V[j, a] of the columns of a field a that meet in one row: h is what the others of a kind add up to, and
 * moves with each visit. */
static void visit_own(fastfm_field_columns *columns, int64_t a)
{
    const kind_plan *plan = &columns->plan;
    const fastfm_model *model = &columns->model;
    const int64_t k = model->n_factors;
    double h[FIELD_BLOCK];
    field_view own = {.columns = columns,
                      .k = FIELD_BLOCK,
                      .slopes = columns->slopes,
                      .curvatures = columns->curvatures,
                      .steps = columns->steps,
                      .sums = h};
    add_sums(columns, a, a);
    for (int64_t c = plan->fields[a].first; c < plan->fields[a].end; c++)
        for (int64_t first = 0; first < k; first += FIELD_BLOCK) {
            const int64_t j = plan->order[c], at = factors_at(model, j, a) + first;
            double before[FIELD_BLOCK];
            quadratic q;
            memset(&q, 0, sizeof q);
            own.width = min_i64(k - first, FIELD_BLOCK);
            for (int64_t f = 0; f < own.width; f++)
                before[f] = real_at(model->V, model->real, at + f);
            for (int64_t t = plan->begins[j]; t < plan->begins[j + 1]; t++) {
                q.x = plan->values[t];
                for (int64_t f = 0; f < own.width; f++)
                    h[f] = columns->sums[plan->kinds[t] * k + first + f] - q.x * before[f];
                add_cell(&own, &q, plan->kinds[t], 0);
            }
            take_step(&own, &q, model->V, at, columns->l2_factors);
            for (int64_t t = plan->begins[j]; t < plan->begins[j + 1]; t++) {
                double *sum = columns->sums + plan->kinds[t] * k + first;
                for (int64_t f = 0; f < own.width; f++)
                    h[f] = sum[f] - plan->values[t] * before[f];
                step_cell(&own, q.g, plan->values[t], plan->kinds[t], 0);
                for (int64_t f = 0; f < own.width; f++)
                    sum[f] += plan->values[t] * q.g[f];
            }
        }
}

/* w0, from the sums over all rows. */
static void solve_w0(fastfm_field_columns *columns)
{
    const fastfm_model *model = &columns->model;
    const double before = real_at(model->w0, model->real, 0);
    if (columns->curvatures[0] > 0)
        set_real(model->w0, model->real, 0, before - columns->slopes[0] / columns->curvatures[0]);
    columns->steps[0] = real_at(model->w0, model->real, 0) - before;
}

/* Where the columns of one field of a pair are visited. */
static field_view view_of_pair(fastfm_field_columns *columns)
{
    const field_unit *unit = &columns->unit;
    const int64_t side = columns->side;
    const field_kinds *a = columns->plan.fields + unit->a, *b = columns->plan.fields + unit->b;
    const field_kinds *mine = side ? b : a, *other = side ? a : b;
    field_view view = {.columns = columns,
                       .n_others = other->n_kinds,
                       .kind_step = side ? 1 : b->n_kinds,
                       .other_step = side ? b->n_kinds : 1,
                       .by_rows = unit->by_rows ? mine : NULL,
                       .other_of = other->kind_of,
                       .sums = columns->sums,
                       .slopes = unit->by_rows ? columns->row_slopes : columns->slopes,
                       .curvatures = unit->by_rows ? columns->row_curvatures : columns->curvatures,
                       .steps = unit->by_rows ? columns->row_steps : columns->steps,
                       .k = columns->model.n_factors};
    return view;
}

/* Columns of a field, by their places, against the other field of the pair. */
static void visit_columns(fastfm_field_columns *columns, int64_t first, int64_t end)
{
    const int64_t other = columns->side ? columns->unit.a : columns->unit.b;
    field_view view = view_of_pair(columns);
    for (int64_t c = first; c < end; c++) {
        const int64_t j = columns->plan.order[c];
        visit_column(&view, j, columns->model.V, factors_at(&columns->model, j, other),
                     columns->l2_factors);
    }
}

/* w of the columns of a field, and V[j, a] where they meet. */
static void solve_field(fastfm_field_columns *columns, const field_kinds *field)
{
    const double one = 1;
    field_view view = {.columns = columns,
                       .n_others = 1,
                       .kind_step = 1,
                       .sums = &one,
                       .slopes = columns->slopes,
                       .curvatures = columns->curvatures,
                       .steps = columns->steps,
                       .k = 1};
    for (int64_t c = field->first; c < field->end; c++) {
        const int64_t j = columns->plan.order[c];
        visit_column(&view, j, columns->model.w, j, columns->l2_linear);
    }
    if (field->has_groups)
        visit_own(columns, columns->unit.a);
}

void field_sum_kinds(void *context, int64_t block, int thread)
{
    fastfm_field_columns *columns = (fastfm_field_columns *)context;
    const field_unit *unit = &columns->unit;
    (void)block, (void)thread;
    add_sums(columns, columns->side ? unit->a : unit->b, columns->side ? unit->b : unit->a);
}

void field_solve(void *context, int64_t block, int thread)
{
    fastfm_field_columns *columns = (fastfm_field_columns *)context;
    const field_unit *unit = &columns->unit;
    const field_kinds *fields = columns->plan.fields;
    add_cells(columns, unit_cells(columns, unit));
    if (unit->a < 0) {
        solve_w0(columns);
    } else if (unit->b < 0) {
        solve_field(columns, fields + unit->a);
    } else {
        for (columns->side = 0; columns->side < 2; columns->side++) {
            const field_kinds *mine = fields + (columns->side ? unit->b : unit->a);
            field_sum_kinds(columns, block, thread);
            visit_columns(columns, mine->first, mine->end);
        }
    }
}

void field_visit_task(void *context, int64_t block, int thread)
{
    fastfm_field_columns *columns = (fastfm_field_columns *)context;
    const field_unit *unit = &columns->unit;
    const field_kinds *mine = columns->plan.fields + (columns->side ? unit->b : unit->a);
    const plan_range task = mine->tasks[block];
    (void)thread;
    visit_columns(columns, task.first, task.end);
}

void field_absent(void *context, int64_t block, int thread)
{
    fastfm_field_columns *columns = (fastfm_field_columns *)context;
    const kind_plan *plan = &columns->plan;
    const fastfm_model *model = &columns->model;
    const int64_t end = min_i64((block + 1) * FIELD_CHUNK, plan->n_columns);
    (void)thread;
    for (int64_t j = block * FIELD_CHUNK; j < end; j++) {
        const int is_absent = plan->begins[j + 1] == plan->begins[j];
        if (is_absent && columns->l2_linear > 0)
            set_real(model->w, model->real, j, 0);
        for (int64_t b = 0; b < model->n_fields && columns->l2_factors > 0; b++) {
            const field_kinds *field = plan->fields + b;
            const int is_met = b == model->fields[j] ? field->has_groups : field->n_kinds > 1;
            for (int64_t f = 0; (is_absent || !is_met) && f < model->n_factors; f++)
                set_real(model->V, model->real, factors_at(model, j, b) + f, 0);
        }
    }
}
