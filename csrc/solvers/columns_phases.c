/* What a thread does with one block of a phase of a sweep (columns.h). */
#include "solvers/columns.h"

#include <math.h>

#include "kernels/dispatch.h"
#include "losses/loss.h"

#define KERNEL(name) (kernels()->name[columns->view.real == FASTFM_F64])

/* The first row of the plan of a block, and the one after its last. */
static int64_t chunk_begin(int64_t block) { return block * ROW_CHUNK; }
static int64_t chunk_end(int64_t block, int64_t n) { return min_i64((block + 1) * ROW_CHUNK, n); }

/* Whether rows [begin, end) of the plan still have columns of the model. X is the caller's, and may have
 * changed since it was checked; a fault is kept in rows_check. */
static int rows_are_sound(const fastfm_columns *columns, int thread, int64_t begin, int64_t end)
{
    const workspace *work = columns->rows_check;
    const int64_t n = columns->plan.n_columns;
    if (!columns->plan.row_ids)
        return workspace_check(work, thread, &columns->X, n, begin, end) != FASTFM_BAD_INDEX;
    for (int64_t i = begin; i < end; i++) {
        const int64_t row = columns->plan.row_ids[i];
        if (workspace_check(work, thread, &columns->X, n, row, row + 1) == FASTFM_BAD_INDEX)
            return 0;
    }
    return 1;
}

/* e of row i of the plan from its score: less the target for the squared loss, or a latent one. */
static double residual_of(const fastfm_columns *columns, int64_t i, double score)
{
    const fastfm_targets *targets = &columns->targets;
    const double y = target_at(targets->y, targets->y_type, row_in_X(&columns->plan, i));
    if (columns->loss.kind == FASTFM_SQUARED)
        return score - y;
    return columns->is_probit ? latent_residual(columns, i, y, score) : score;
}

/* e of the rows of a block, from their scores. */
void sweep_score_rows(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_view *view = &columns->view;
    const fastfm_model model = {.n_features = columns->plan.n_columns,
                                .n_factors = view->stride,
                                .n_outputs = 1,
                                .real = view->real,
                                .w0 = columns->w0,
                                .w = view->w,
                                .V = view->V};
    const score_kernel score = score_kernel_of(&model, &columns->X);
    const int64_t begin = chunk_begin(block), end = chunk_end(block, columns->plan.n_rows);
    const int64_t size = (int64_t)real_size(view->real);
    char *e = (char *)view->residuals;
    if (!rows_are_sound(columns, thread, begin, end))
        return;
    if (!columns->plan.row_ids)
        score(&columns->X, NULL, &model, begin, end, e + begin * size, NULL, 0, NULL);
    for (int64_t i = begin; i < end; i++) {
        const int64_t row = row_in_X(&columns->plan, i);
        if (columns->plan.row_ids)
            score(&columns->X, NULL, &model, row, row + 1, e + i * size, NULL, 0, NULL);
        set_real(e, view->real, i, residual_of(columns, i, real_at(e, view->real, i)));
    }
}

/* The derivative of the logistic loss. It decides about w0, so its exponential function is our own, and the
 * bits do not depend on libm; those of the loss do. */
static double logistic_slope(const column_view *view, int64_t i)
{
    const double s = real_at(view->residuals, view->real, i);
    const double t = real_at(view->targets, view->real, i);
    const double e = random_exp(-fabs(s)), tail = e / (1 + e);
    return s >= 0 ? 1 - t - tail : tail - t;
}

/* Losses of rows, and their derivatives in units of e; both weighted. */
void sweep_add_rows(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_view *view = &columns->view;
    const int64_t begin = chunk_begin(block), end = chunk_end(block, columns->plan.n_rows);
    const int is_logistic = columns->loss.kind == FASTFM_LOGISTIC && !columns->is_probit;
    double loss = 0, slope = 0;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const double c = view->weights ? real_at(view->weights, view->real, i) : 1;
        const double e = real_at(view->residuals, view->real, i);
        loss += is_logistic ? weighted_loss_at(&columns->loss, &columns->targets,
                                               row_in_X(&columns->plan, i), e)
                            : c * (0.5 * e * e);
        slope += c * (is_logistic ? logistic_slope(view, i) : e);
    }
    columns->row_totals[2 * block] = loss;
    columns->row_totals[2 * block + 1] = slope;
}

/* The same in a pair plan, where each row has one column of the first colour. */
void sweep_add_pairs(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_plan *plan = &columns->plan;
    const column_colour *colour = plan->colours;
    const int64_t n_tasks = colour->tasks.end - colour->tasks.first;
    double totals[2] = {0, 0};
    (void)thread;
    if (block < n_tasks) {
        const plan_range task = plan->tasks[colour->tasks.first + block];
        KERNEL(pair_residuals)
        (&columns->view, plan->order + task.first, task.end - task.first, totals);
    } else {
        const int32_t column = (int32_t)plan->heavy[colour->heavy.first + block - n_tasks].column;
        KERNEL(pair_residuals)(&columns->view, &column, 1, totals);
    }
    columns->row_totals[2 * block] = 0.5 * totals[1];
    columns->row_totals[2 * block + 1] = totals[0];
}

/* Adds q of their shared rows to those of rows. */
static void add_shared(const column_view *view, const column_relation *relation, int64_t begin,
                       int64_t end)
{
    const int64_t width = view->width;
    for (int64_t i = begin; i < end; i++) {
        const int64_t b = relation->shared_of[i];
        if (view->real == FASTFM_F64)
            for (int64_t f = 0; f < width; f++)
                ((double *)view->sums)[i * width + f] += ((double *)relation->q)[b * width + f];
        else
            for (int64_t f = 0; f < width; f++)
                ((float *)view->sums)[i * width + f] += ((float *)relation->q)[b * width + f];
    }
}

void sweep_row_sums(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_view *view = &columns->view;
    const int64_t begin = chunk_begin(block), end = chunk_end(block, columns->plan.n_rows);
    const column_row_sums_kernel row_sums =
        kernels()->column_row_sums[view->real == FASTFM_F64][columns->X.data_type == FASTFM_F64]
                                  [columns->X.index_type == FASTFM_I64];
    if (!rows_are_sound(columns, thread, begin, end))
        return;
    if (columns->plan.n_relations > 0) {
        row_sums(&columns->plan.own, NULL, view, begin, end);
        for (int64_t r = 0; r < columns->plan.n_relations; r++)
            add_shared(view, columns->plan.relations + r, begin, end);
    } else {
        row_sums(&columns->X, columns->plan.row_ids, view, begin, end);
    }
    for (int64_t i = begin; columns->w0_step != 0 && i < end; i++)
        set_real(view->residuals, view->real, i,
                 real_at(view->residuals, view->real, i) + columns->w0_step);
}

static void visit_task(fastfm_columns *columns, int64_t number)
{
    const column_plan *plan = visited_plan(columns);
    const plan_range task = plan->tasks[number];
    double part[LARGEST_PART];
    KERNEL(column_visit)
    (visited_view(columns), plan->order + task.first, task.end - task.first, part);
}

/* Number `at` of an array of pieces of `size` numbers of the model's type. */
static void *piece(const fastfm_columns *columns, void *array, int64_t at, int64_t size)
{
    return (char *)array + at * size * (int64_t)real_size(columns->view.real);
}

void sweep_visit(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_plan *plan = visited_plan(columns);
    const column_colour *colour = plan->colours + columns->colour;
    const int64_t n_chunks = colour->chunks.end - colour->chunks.first;
    (void)thread;
    if (block < n_chunks) {
        const heavy_chunk *chunk = plan->chunks + colour->chunks.first + block;
        void *part = piece(columns, columns->parts, block, LARGEST_PART);
        memset(part, 0, LARGEST_PART * real_size(columns->view.real));
        KERNEL(column_sums)
        (visited_view(columns), plan->heavy[chunk->heavy].column, chunk->begin, chunk->end, part);
    } else {
        visit_task(columns, colour->tasks.first + block - n_chunks);
    }
}

/* Colours that are too small to be shared, one after the other. */
void sweep_visit_small(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_plan *plan = visited_plan(columns);
    (void)block, (void)thread;
    for (int64_t c = columns->colour; c < columns->end_colour; c++)
        for (int64_t t = plan->colours[c].tasks.first; t < plan->colours[c].tasks.end; t++)
            visit_task(columns, t);
}

/* Adds the parts of a heavy column, in order and in double, and solves it. */
void sweep_solve(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_plan *plan = visited_plan(columns);
    const column_colour *colour = plan->colours + columns->colour;
    const heavy_column *heavy = plan->heavy + colour->heavy.first + block;
    const fastfm_type real = columns->view.real;
    const int64_t n = heavy->end_chunk - heavy->first_chunk;
    void *parts =
        piece(columns, columns->parts, heavy->first_chunk - colour->chunks.first, LARGEST_PART);
    (void)thread;
    for (int64_t f = 0; f < PART_SIZE(columns->view.width); f++) {
        double sum = 0;
        for (int64_t part = 0; part < n; part++)
            sum += real_at(parts, real, part * LARGEST_PART + f);
        set_real(parts, real, f, sum);
    }
    KERNEL(column_solve)
    (visited_view(columns), heavy->column, parts,
     piece(columns, columns->steps, block, LARGEST_STEP));
}

void sweep_apply(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_plan *plan = visited_plan(columns);
    const column_colour *colour = plan->colours + columns->colour;
    const heavy_chunk *chunk = plan->chunks + colour->chunks.first + block;
    const void *step =
        piece(columns, columns->steps, chunk->heavy - colour->heavy.first, LARGEST_STEP);
    (void)thread;
    KERNEL(column_apply)(visited_view(columns), chunk->begin, chunk->end, step);
}

/* Parameter p of a column without values: the minimum of its penalty, if there is one; or a sample. */
static void set_absent(const column_view *view, void *parameters, int64_t at, double lambda,
                       double mu, double normal)
{
    if (lambda > 0)
        set_real(parameters, view->real, at, view->samples ? mu + normal / sqrt(lambda) : mu);
}

static void set_absent_column(const column_view *view, int64_t j)
{
    const int64_t group = column_group(view, j);
    const double *lambda = view->lambda_V + group * view->stride;
    const double *mu = view->mu_V + group * view->stride;
    const random_place of_w = place_of_column(view, STREAM_W, j);
    const random_place of_V = place_of_column(view, STREAM_V, j);
    double normals[4 * RANDOM_PARTS] = {0};
    if (view->samples)
        normals[0] = random_normal(&of_w);
    set_absent(view, view->w, j, view->lambda_w[group], view->mu_w[group], normals[0]);
    for (int64_t f = 0; f < view->n_factors; f++) {
        const int64_t t = f % (4 * RANDOM_PARTS);
        if (view->samples && t == 0)
            random_normals(&of_V, (uint32_t)(f / 4), RANDOM_PARTS, normals);
        set_absent(view, view->V, j * view->stride + f, lambda[f], mu[f], normals[t]);
    }
}

/* Columns without values. */
void sweep_absent(void *context, int64_t block, int thread)
{
    const fastfm_columns *columns = (const fastfm_columns *)context;
    const column_view *view = &columns->view;
    const int64_t end = chunk_end(block, columns->plan.n_columns);
    (void)thread;
    for (int64_t j = chunk_begin(block); j < end; j++)
        if (view->begins[j + 1] == view->begins[j] &&
            !(columns->plan.relation_of && columns->plan.relation_of[j]))
            set_absent_column(view, j);
}
