/* fastfm_columns: its memory, and its calls. */
#include "solvers/columns.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* The next n numbers of the model's type. */
static void *reals(const fastfm_columns *columns, arena *memory, int64_t n)
{
    return arena_alloc(memory, n * (int64_t)real_size(columns->plan.real));
}

/* The most chunks, and heavy columns, of a colour, those of relations too. */
static void largest_colour(const column_plan *plan, int64_t *chunks, int64_t *heavy)
{
    *chunks = *heavy = 0;
    for (int64_t r = 0; r < plan->n_relations; r++) {
        int64_t its_chunks, its_heavy;
        largest_colour(plan->relations[r].plan, &its_chunks, &its_heavy);
        *chunks = max_i64(*chunks, its_chunks);
        *heavy = max_i64(*heavy, its_heavy);
    }
    for (int64_t c = 0; c < plan->n_colours; c++) {
        *chunks = max_i64(*chunks, plan->colours[c].chunks.end - plan->colours[c].chunks.first);
        *heavy = max_i64(*heavy, plan->colours[c].heavy.end - plan->colours[c].heavy.first);
    }
}

/* Each array begins a cache line, so that 16 factors of float32 are one line. */
static void carve_arena(fastfm_columns *columns, arena *memory)
{
    const column_plan *plan = &columns->plan;
    column_view *view = &columns->view;
    const int64_t width = view->stride >= 16 ? 16 : 8;
    int64_t chunks, heavy;
    largest_colour(plan, &chunks, &heavy);
    columns->w0 = reals(columns, memory, 1);
    view->w = reals(columns, memory, plan->n_columns);
    view->V = reals(columns, memory, plan->n_columns * view->stride);
    columns->parts = reals(columns, memory, chunks * LARGEST_PART);
    columns->steps = reals(columns, memory, heavy * LARGEST_STEP);
    columns->row_totals = (double *)arena_alloc(memory, 2 * columns->n_totals * 8);
    if (!plan->is_pair) {
        view->residuals = reals(columns, memory, plan->n_rows);
        view->sums = reals(columns, memory, plan->n_rows * width);
    }
    for (int64_t r = 0; r < plan->n_relations; r++) {
        column_relation *relation = plan->relations + r;
        relation->q = reals(columns, memory, relation->n_shared * width);
        relation->records = reals(columns, memory, relation->n_shared * SHARED_SIZE(width));
    }
}

static fastfm_status allocate(fastfm_columns *columns)
{
    const column_plan *plan = &columns->plan;
    const column_colour *first = plan->colours;
    arena memory = {NULL, 0};
    columns->n_totals = plan->is_pair ? first->tasks.end - first->tasks.first + first->heavy.end -
                                            first->heavy.first
                                      : blocks_of(plan->n_rows, ROW_CHUNK);
    carve_arena(columns, &memory);
    columns->bytes += memory.used;
    columns->memory = malloc((size_t)(memory.used + CACHE_LINE));
    columns->penalties = (double *)calloc((size_t)(2 + 2 * columns->view.stride), sizeof(double));
    if (!columns->memory || !columns->penalties)
        return FASTFM_NO_MEMORY;
    memory = (arena){align_to_line(columns->memory), 0};
    carve_arena(columns, &memory);
    return FASTFM_OK;
}

/* Copies the parameters of a model. */
static void load_parameters(fastfm_columns *columns, const fastfm_model *model)
{
    column_view *view = &columns->view;
    const size_t size = real_size(model->real), k = (size_t)model->n_factors;
    const size_t stride = (size_t)view->stride;
    char *V = (char *)view->V;
    memcpy(columns->w0, model->w0, size);
    view->w0 = real_at(columns->w0, model->real, 0);
    memcpy(view->w, model->w, size * (size_t)model->n_features);
    memset(V, 0, size * stride * (size_t)model->n_features);
    for (size_t j = 0; j < (size_t)model->n_features; j++)
        memcpy(V + j * stride * size, (const char *)model->V + j * k * size, k * size);
}

/* What kernels see of the plan. */
static void set_view(fastfm_columns *columns, const fastfm_model *model)
{
    const column_plan *plan = &columns->plan;
    column_view *view = &columns->view;
    view->real = plan->real;
    view->nnz = plan->nnz;
    view->begins = plan->begins;
    view->rows = plan->rows;
    view->values = plan->values;
    view->targets = plan->targets;
    view->weights = plan->weights;
    view->n_factors = model->n_factors;
    view->stride = (model->n_factors + 7) / 8 * 8;
    view->width = 8;
    view->alpha = columns->loss.kind == FASTFM_LOGISTIC ? 0.25 : 1;
}

fastfm_status fastfm_columns_open(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                                  const fastfm_model *model, const fastfm_loss *loss,
                                  const fastfm_targets *targets, fastfm_columns **columns,
                                  int num_threads, int64_t *bad_row)
{
    fastfm_columns *made = (fastfm_columns *)calloc(1, sizeof(fastfm_columns));
    fastfm_status status;
    *columns = NULL;
    if (!made)
        return FASTFM_NO_MEMORY;
    made->X = *X;
    made->loss = *loss;
    made->targets = *targets;
    made->n_sweeps = -1;
    made->stage = AT_END;
    status = fastfm_check(X, model->n_features, NULL, NULL, num_threads, bad_row);
    if (status == FASTFM_OK)
        status = column_plan_open(&made->plan, X, model->n_features, model->real, rows, n_rows,
                                  loss, targets, bad_row);
    if (status == FASTFM_OK) {
        set_view(made, model);
        status = allocate(made);
    }
    if (status != FASTFM_OK) {
        fastfm_columns_close(made);
        return status;
    }
    made->view.lambda_w = made->penalties;
    made->view.mu_w = made->penalties + 1;
    made->view.lambda_V = made->penalties + 2;
    made->view.mu_V = made->penalties + 2 + made->view.stride;
    load_parameters(made, model);
    *columns = made;
    return FASTFM_OK;
}

void fastfm_columns_close(fastfm_columns *columns)
{
    if (!columns)
        return;
    column_plan_close(&columns->plan);
    free(columns->memory);
    free(columns->penalties);
    free_groups(columns);
    free(columns);
}

void fastfm_columns_begin(fastfm_columns *columns, double l2_linear, double l2_factors,
                          int has_sweep)
{
    const int is_due = columns->n_sweeps < 0 || columns->n_sweeps >= SWEEPS_BETWEEN_SCORES;
    columns->penalties[0] = l2_linear * columns->plan.weight_sum;
    for (int64_t f = 0; f < columns->view.n_factors; f++)
        columns->penalties[2 + f] = l2_factors * columns->plan.weight_sum;
    columns->has_sweep = has_sweep;
    columns->has_phase = 0;
    columns->view.first = 0;
    if (is_due && columns->plan.is_pair)
        columns->n_sweeps = 0;
    if (is_due)
        columns->stage = columns->plan.is_pair ? ADDING : SCORING;
    else if (has_sweep)
        begin_sweep(columns);
}

fastfm_status fastfm_columns_go_on(fastfm_columns *columns, int num_threads, int *is_done,
                                   int64_t *bad_row)
{
    const double width = (double)columns->view.stride;
    const double work = (double)columns->plan.nnz * width * 16;
    const int n_threads = parallel_threads(num_threads, work);
    workspace rows;
    fastfm_status status = workspace_open(&rows, &columns->X, NULL, ROW_CHUNK, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    columns->rows_check = &rows;
    columns->work = WORK_OF_A_CALL * n_threads;
    parallel_phases(next_sweep_phase, columns, n_threads);
    status = workspace_fault(&rows, n_threads, bad_row);
    workspace_close(&rows);
    columns->rows_check = NULL;
    *is_done = columns->stage == AT_END;
    return status;
}

fastfm_status fastfm_columns_objective(const fastfm_columns *columns, double *objective,
                                       int num_threads)
{
    const column_view *view = &columns->view;
    const int64_t n = columns->plan.n_columns;
    const double scale = 0.5 / columns->plan.weight_sum;
    double w = 0, V = 0;
    fastfm_status status = fastfm_l2(view->w, view->real, n, 0, NULL, num_threads, &w);
    if (status == FASTFM_OK)
        status = fastfm_l2(view->V, view->real, n * view->stride, 0, NULL, num_threads, &V);
    if (status == FASTFM_OK)
        *objective = columns->loss_sum / columns->plan.weight_sum +
                     scale * (columns->penalties[0] * w + columns->penalties[2] * V);
    return status;
}

void fastfm_columns_read(const fastfm_columns *columns, const fastfm_model *model)
{
    const column_view *view = &columns->view;
    const size_t size = real_size(model->real), k = (size_t)model->n_factors;
    memcpy(model->w0, columns->w0, size);
    memcpy(model->w, view->w, size * (size_t)model->n_features);
    for (size_t j = 0; j < (size_t)model->n_features; j++)
        memcpy((char *)model->V + j * k * size,
               (const char *)view->V + j * (size_t)view->stride * size, k * size);
}

static int64_t bytes_of_csr(const fastfm_csr *X)
{
    const int64_t index = X->index_type == FASTFM_I64 ? 8 : 4;
    return X->indptr ? (X->n_rows + 1) * index + X->nnz * (index + (int64_t)real_size(X->data_type))
                     : 0;
}

fastfm_columns_facts fastfm_columns_plan(const fastfm_columns *columns)
{
    const column_plan *plan = &columns->plan;
    const int64_t real = (int64_t)real_size(plan->real);
    const int64_t per_value = 4 + (plan->values || plan->is_pair ? real : 0);
    int64_t nnz = plan->nnz, bytes = columns->bytes + bytes_of_csr(&plan->own);
    for (int64_t r = 0; r < plan->n_relations; r++) {
        const column_relation *relation = plan->relations + r;
        nnz += relation->plan->nnz;
        bytes += bytes_of_csr(&relation->X) + 8 * plan->n_rows + 8 * relation->n_shared;
    }
    return (fastfm_columns_facts){.n_rows = plan->n_rows,
                                  .nnz = nnz,
                                  .n_colours = plan->n_colours,
                                  .n_relations = plan->n_relations,
                                  .bytes = bytes + per_value * nnz +
                                           (plan->row_ids ? 8 : 0) * plan->n_rows,
                                  .is_pair = plan->is_pair};
}
