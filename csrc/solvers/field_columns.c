/* fastfm_field_columns: its memory, and its calls. */
#include "solvers/field_columns.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "kernels/table.h"
#include "losses/loss.h"

/* Copies w0, w and V of one model to those of another. */
static void copy_parameters(const fastfm_model *to, const fastfm_model *from)
{
    const size_t size = real_size(from->real), n = (size_t)from->n_features;
    memcpy(to->w0, from->w0, size);
    memcpy(to->w, from->w, n * size);
    memcpy(to->V, from->V, n * (size_t)feature_stride(from) * size);
}

/* The next n numbers of double. */
static double *doubles(arena *memory, int64_t n)
{
    return (double *)arena_alloc(memory, n * (int64_t)sizeof(double));
}

static void carve_arena(fastfm_field_columns *columns, arena *memory)
{
    const kind_plan *plan = &columns->plan;
    const int64_t n = plan->rows.n_rows, rows = max_i64(n, columns->n_chunks * plan->most_cells);
    const int64_t cells = max_i64(plan->most_cells, plan->most_kinds);
    const int64_t size = (int64_t)real_size(columns->model.real);
    fastfm_model *model = &columns->model;
    model->w0 = arena_alloc(memory, size);
    model->w = arena_alloc(memory, model->n_features * size);
    model->V = arena_alloc(memory, model->n_features * feature_stride(model) * size);
    columns->scores = arena_alloc(memory, n * size);
    columns->row_slopes = doubles(memory, rows);
    columns->row_curvatures = doubles(memory, rows);
    columns->row_steps = doubles(memory, n);
    columns->slopes = doubles(memory, cells);
    columns->curvatures = doubles(memory, cells);
    columns->steps = doubles(memory, cells);
    columns->sums = doubles(memory, plan->most_kinds * model->n_factors);
    columns->totals = doubles(memory, columns->n_chunks);
    if (plan->rows.row_ids)
        columns->fresh = arena_alloc(memory, columns->X.n_rows * size);
}

static fastfm_status allocate(fastfm_field_columns *columns, const fastfm_model *model)
{
    const kind_plan *plan = &columns->plan;
    arena memory = {NULL, 0};
    columns->n_chunks = (plan->rows.n_rows + plan->chunk_rows - 1) / plan->chunk_rows;
    carve_arena(columns, &memory);
    columns->bytes = memory.used;
    columns->memory = calloc((size_t)(memory.used + CACHE_LINE), 1);
    if (!columns->memory)
        return FASTFM_NO_MEMORY;
    memory = (arena){align_to_line(columns->memory), 0};
    carve_arena(columns, &memory);
    copy_parameters(&columns->model, model);
    return FASTFM_OK;
}

fastfm_status fastfm_field_columns_open(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                                        const fastfm_model *model, const fastfm_loss *loss,
                                        const fastfm_targets *targets,
                                        fastfm_field_columns **columns, int num_threads,
                                        int64_t *bad_row)
{
    fastfm_field_columns *made = (fastfm_field_columns *)calloc(1, sizeof(fastfm_field_columns));
    fastfm_status status;
    *columns = NULL;
    if (!made)
        return FASTFM_NO_MEMORY;
    made->X = *X;
    made->loss = *loss;
    made->targets = *targets;
    made->model = *model;
    made->n_sweeps = -1;
    made->stage = FIELD_AT_END;
    status = fastfm_check(X, model->n_features, NULL, NULL, num_threads, bad_row);
    if (status == FASTFM_OK)
        status = kind_plan_open(&made->plan, X, model, rows, n_rows, loss, targets, bad_row);
    if (status == FASTFM_OK)
        status = allocate(made, model);
    if (status != FASTFM_OK) {
        fastfm_field_columns_close(made);
        return status;
    }
    *columns = made;
    return FASTFM_OK;
}

void fastfm_field_columns_close(fastfm_field_columns *columns)
{
    if (!columns)
        return;
    kind_plan_close(&columns->plan);
    free(columns->memory);
    free(columns);
}

void fastfm_field_columns_begin(fastfm_field_columns *columns, double l2_linear, double l2_factors,
                                int has_sweep)
{
    columns->l2_linear = l2_linear * columns->plan.rows.weight_sum;
    columns->l2_factors = l2_factors * columns->plan.rows.weight_sum;
    columns->has_phase = 0;
    columns->needs_scores = columns->n_sweeps < 0 || columns->n_sweeps >= SWEEPS_BETWEEN_SCORES;
    columns->unit = (field_unit){.a = -1, .b = -1, .exists = 1};
    columns->last.exists = 0;
    columns->stage = has_sweep ? FIELD_PASS : FIELD_ADDING;
}

/* Scores of all rows afresh; less the targets for the squared loss. */
static fastfm_status score_afresh(fastfm_field_columns *columns, int num_threads, int64_t *bad_row)
{
    const column_plan *rows = &columns->plan.rows;
    const fastfm_targets *targets = &columns->targets;
    const fastfm_type real = columns->model.real;
    void *fresh = columns->fresh ? columns->fresh : columns->scores;
    const fastfm_status status =
        fastfm_score(&columns->X, &columns->model, fresh, num_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const int64_t row = row_in_X(rows, i);
        const double y =
            columns->loss.kind == FASTFM_SQUARED ? target_at(targets->y, targets->y_type, row) : 0;
        set_real(columns->scores, real, i, real_at(fresh, real, row) - y);
    }
    columns->n_sweeps = 0;
    columns->needs_scores = 0;
    return FASTFM_OK;
}

fastfm_status fastfm_field_columns_go_on(fastfm_field_columns *columns, int num_threads,
                                         int *is_done, int64_t *bad_row)
{
    const double k = (double)columns->model.n_factors;
    const int n_threads = parallel_threads(num_threads, (double)columns->plan.nnz * k * 16);
    if (columns->needs_scores) {
        const fastfm_status status = score_afresh(columns, num_threads, bad_row);
        if (status != FASTFM_OK)
            return status;
    }
    columns->work = WORK_OF_A_CALL * n_threads;
    parallel_phases(next_field_phase, columns, n_threads);
    *is_done = columns->stage == FIELD_AT_END;
    return FASTFM_OK;
}

fastfm_status fastfm_field_columns_objective(const fastfm_field_columns *columns, double *objective,
                                             int num_threads)
{
    const fastfm_model *model = &columns->model;
    const int64_t n_V = model->n_features * feature_stride(model);
    const double weight_sum = columns->plan.rows.weight_sum;
    double w = 0, V = 0;
    fastfm_status status =
        fastfm_l2(model->w, model->real, model->n_features, 0, NULL, num_threads, &w);
    if (status == FASTFM_OK)
        status = fastfm_l2(model->V, model->real, n_V, 0, NULL, num_threads, &V);
    if (status == FASTFM_OK)
        *objective =
            (columns->loss_sum + 0.5 * (columns->l2_linear * w + columns->l2_factors * V)) /
            weight_sum;
    return status;
}

void fastfm_field_columns_read(const fastfm_field_columns *columns, const fastfm_model *model)
{
    copy_parameters(model, &columns->model);
}

fastfm_field_facts fastfm_field_columns_plan(const fastfm_field_columns *columns)
{
    const kind_plan *plan = &columns->plan;
    fastfm_field_facts facts = {
        .n_rows = plan->rows.n_rows, .nnz = plan->nnz, .bytes = plan->bytes + columns->bytes};
    for (int64_t a = 0; a < plan->n_fields; a++) {
        facts.n_kinds += plan->fields[a].n_kinds - 1;
        for (int64_t b = a + 1; b < plan->n_fields; b++) {
            if (plan->fields[a].n_kinds == 1 || plan->fields[b].n_kinds == 1)
                continue;
            facts.n_pairs++;
            facts.n_tables += is_table(plan, plan->fields + a, plan->fields + b);
        }
    }
    return facts;
}
