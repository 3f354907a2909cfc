/* fastfm_train: stochastic solvers in batches, with the same bits for any number of threads.
 *
 * First the threads share the rows of a batch: each is copied, scored with the parameters as they
 * are, and its loss gradient kept; its values are sorted by their feature into parts.
 * Then the threads share the parts: the gradients of a part's features are summed in the order of
 * rows, and each of its parameters is updated once, in an FFM when all parts are summed. With hogwild
 * each thread takes batches of its own and does all of that alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "loss.h"
#include "parallel.h"

#define LEARN_WORK 8.0 /* multiply-adds for one of scoring an FM */
#define FFM_LEARN_WORK 2.0

static void find_losses(const training_batch *batch, int thread, int64_t begin, int64_t end)
{
    const int64_t C = batch->b.model->n_outputs;
    for (int64_t i = begin; i < end; i++) {
        const int64_t row = batch->rows[i];
        const double weight = weight_of(batch->targets, row);
        double *value = &batch->losses[i];
        fastfm_status status = loss_row_weighted(batch->loss, batch->targets, row, batch->b.scores,
                                                 batch->b.model->real, i, C, 1, value,
                                                 batch->row_gradients + i * C, batch->b.dscores);
        if (status == FASTFM_OK && weight != 0 && !isfinite(*value))
            status = FASTFM_DIVERGED;
        if (status != FASTFM_OK) {
            workspace_report(&batch->work, thread, status, i);
            return;
        }
        *value = weight == 0 ? 0 : *value * weight;
    }
}

static void score_block(void *context, int64_t block, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const fastfm_model *model = batch->b.model;
    fastfm_csr rows = batch->b.X;
    const fastfm_csr *X = &rows;
    const int64_t begin = batch->block_begin[block], end = batch->block_begin[block + 1];
    const int64_t real = (int64_t)real_size(model->real), C = model->n_outputs;
    const score_kernel score = score_kernel_of(model, X);
    void *scratch = workspace_scratch(&batch->work, thread);
    /* Kernels look ahead: not into the next block, which another thread may be copying. */
    rows.nnz = index_at(rows.indptr, rows.index_type, end);
    batch_copy_block(batch, block);
    if (workspace_check(&batch->work, thread, X, model->n_features, begin, end) != FASTFM_OK)
        return;
    score(X, model, begin, end, batch->b.scores + begin * C * real,
          batch->b.kept + (model->fields ? 0 : begin * C * model->n_factors * real),
          batch->b.max_row, scratch);
    KERNEL_OF(kernels()->partition, model, X)(&batch->b, block, begin, end);
    find_losses(batch, thread, begin, end);
}

static void update_piece(void *context, int64_t piece, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const fastfm_model *model = batch->b.model;
    const int64_t n = batch->n_pieces, at = piece % n;
    const part_data *found = &batch->found[model->fields ? piece / n : thread];
    if (!kernels()->update_slots[model->real == FASTFM_F64](
            &batch->b, found, found->n_slots * at / n, found->n_slots * (at + 1) / n))
        workspace_report(&batch->work, thread, FASTFM_DIVERGED, batch->n_rows - 1);
}

/* An FM's gradients need V of their own features alone, which so can be updated at once. */
static void sum_part(void *context, int64_t part, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const fastfm_model *model = batch->b.model;
    part_data *found = &batch->found[model->fields ? part : thread];
    KERNEL_OF(kernels()->sum_part, model, &batch->b.X)(&batch->b, part, found);
    if (!model->fields)
        update_piece(context, 0, thread);
}

/* w0 is never penalised, and its value is 1 in every row. */
static void learn_bias(const training_batch *batch)
{
    const fastfm_model *model = batch->b.model;
    const fastfm_solver *solver = batch->b.solver;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    for (int64_t c = 0; c < C && batch->n_weighted > 0; c++) {
        char *state0 = (char *)solver->state[0].w0, *state1 = (char *)solver->state[1].w0;
        double sum = 0, gradient;
        for (int64_t i = 0; i < batch->n_rows; i++)
            sum += batch->row_gradients[i * C + c];
        set_real(&gradient, model->real, 0, sum);
        if (!kernels()->update[model->real == FASTFM_F64](
                solver, 1, (char *)model->w0 + c * real, state0 ? state0 + c * real : NULL,
                state1 ? state1 + c * real : NULL, &gradient))
            workspace_report(&batch->work, 0, FASTFM_DIVERGED, batch->n_rows - 1);
    }
}

/* The rule as the kernels read it at a certain step. */
static fastfm_solver at_step(const fastfm_solver *solver, int64_t step)
{
    fastfm_solver now = *solver;
    if (solver->rule == FASTFM_ADAM) {
        const double t = (double)step + 1;
        now.learning_rate *= sqrt(1 - pow(solver->beta2, t)) / (1 - pow(solver->beta1, t));
    }
    return now;
}

/* Batch after batch of the rows. */
typedef struct {
    training_batch batch;
    const fastfm_solver *solver;
    fastfm_solver now;
    const int64_t *rows;
    int64_t n_rows, begin, n_steps, steps_at_once;
    enum { BEFORE_BATCH, SCORING, SUMMING, UPDATING } phase;
    double total;
    fastfm_status status;
    int64_t bad_row;
} training_run;

static fastfm_status fault_of_batch(training_run *run)
{
    int64_t place;
    const fastfm_status status = workspace_fault(&run->batch.work, run->batch.n_threads, &place);
    if (status != FASTFM_OK)
        run->bad_row = run->batch.rows[place];
    return status;
}

/* Batches start at multiples of batch_size, also after one that had to be cut. */
static int start_batch(training_run *run, parallel_block *body, int64_t *n_blocks)
{
    const int64_t size = run->solver->batch_size;
    const int64_t end = min_i64(run->n_rows, run->begin - run->begin % size + size);
    if (run->begin == run->n_rows)
        return 0;
    run->now = at_step(run->solver, run->n_steps);
    run->status = batch_take(&run->batch, run->rows + run->begin, end - run->begin, &run->bad_row);
    run->phase = SCORING;
    *body = score_block;
    *n_blocks = run->batch.b.n_blocks;
    return run->status == FASTFM_OK;
}

static int start_sums(training_run *run, parallel_block *body, int64_t *n_blocks)
{
    double sum = 0;
    run->status = fault_of_batch(run);
    if (run->status == FASTFM_OK)
        run->status = batch_make_room(&run->batch);
    if (run->status != FASTFM_OK)
        return 0;
    for (int64_t i = 0; i < run->batch.n_rows; i++)
        sum += run->batch.losses[i];
    run->total += sum;
    run->phase = SUMMING;
    *body = sum_part;
    *n_blocks = run->batch.b.n_parts;
    return 1;
}

static int next_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    training_run *run = (training_run *)context;
    if (run->phase == SCORING)
        return start_sums(run, body, n_blocks);
    if (run->phase == SUMMING && run->batch.b.model->fields) {
        run->phase = UPDATING;
        *body = update_piece;
        *n_blocks = batch_cut_updates(&run->batch);
        return 1;
    }
    if (run->phase != BEFORE_BATCH) {
        learn_bias(&run->batch);
        run->status = fault_of_batch(run);
        run->begin += run->batch.n_rows;
        run->n_steps += run->steps_at_once;
        if (run->status != FASTFM_OK)
            return 0;
    }
    return start_batch(run, body, n_blocks);
}

static fastfm_status learn_rows(training_run *run, const fastfm_csr *X, const fastfm_model *model,
                                const fastfm_loss *loss, const fastfm_targets *targets,
                                int n_threads)
{
    const int64_t most = min_i64(run->n_rows, run->solver->batch_size);
    run->now = at_step(run->solver, run->n_steps);
    run->status = batch_open(&run->batch, X, model, &run->now, most, n_threads, &run->bad_row);
    if (run->status != FASTFM_OK)
        return run->status;
    run->batch.loss = loss;
    run->batch.targets = targets;
    run->phase = BEFORE_BATCH;
    parallel_phases(next_phase, run, n_threads);
    batch_close(&run->batch);
    return run->status;
}

typedef struct {
    const fastfm_csr *X;
    const fastfm_model *model;
    const fastfm_loss *loss;
    const fastfm_targets *targets;
    training_run *runs; /* one for each thread */
} hogwild_job;

static void hogwild_part(void *context, int64_t part, int thread)
{
    const hogwild_job *job = (const hogwild_job *)context;
    (void)thread;
    if (job->runs[part].n_rows > 0)
        learn_rows(&job->runs[part], job->X, job->model, job->loss, job->targets, 1);
}

/* Whole batches to each thread. */
static fastfm_status learn_hogwild(hogwild_job *job, const int64_t *rows, int64_t n_rows,
                                   fastfm_solver *solver, double *total, int n_threads,
                                   int64_t *bad_row)
{
    const int64_t n_batches = (n_rows + solver->batch_size - 1) / solver->batch_size;
    fastfm_status status = FASTFM_OK;
    job->runs = (training_run *)calloc((size_t)n_threads, sizeof(training_run));
    if (!job->runs)
        return FASTFM_NO_MEMORY;
    for (int64_t part = 0; part < n_threads; part++) {
        const int64_t begin = n_batches * part / n_threads * solver->batch_size;
        const int64_t end =
            min_i64(n_rows, n_batches * (part + 1) / n_threads * solver->batch_size);
        job->runs[part] = (training_run){.solver = solver,
                                         .rows = rows + begin,
                                         .n_rows = end - begin,
                                         .n_steps = solver->n_steps + part,
                                         .steps_at_once = n_threads};
    }
    parallel_for(n_threads, hogwild_part, job, n_threads);
    for (int part = 0; part < n_threads; part++) {
        *total += job->runs[part].total;
        if (job->runs[part].status != FASTFM_OK && status == FASTFM_OK) {
            status = job->runs[part].status;
            *bad_row = job->runs[part].bad_row;
        }
    }
    solver->n_steps += n_batches;
    free(job->runs);
    return status;
}

fastfm_status fastfm_train(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                           const fastfm_model *model, const fastfm_loss *loss,
                           const fastfm_targets *targets, fastfm_solver *solver, double *total,
                           int num_threads, int64_t *bad_row)
{
    const double learn_work = model->fields ? FFM_LEARN_WORK : LEARN_WORK;
    const double per_row = score_work(X, model) / (double)max_i64(X->n_rows, 1);
    fastfm_solver bounded = *solver; /* a batch is no larger than all rows: no sum can overflow */
    training_run run = {.solver = &bounded,
                        .rows = rows,
                        .n_rows = n_rows,
                        .n_steps = solver->n_steps,
                        .steps_at_once = 1,
                        .total = *total};
    int n_threads;
    if (n_rows == 0)
        return FASTFM_OK;
    bounded.batch_size = min_i64(solver->batch_size, n_rows);
    n_threads =
        parallel_threads(num_threads, learn_work * per_row *
                                          (double)(solver->hogwild ? n_rows : bounded.batch_size));
    if (solver->hogwild && n_threads > 1) {
        hogwild_job job = {X, model, loss, targets, NULL};
        const fastfm_status status =
            learn_hogwild(&job, rows, n_rows, &bounded, total, n_threads, bad_row);
        solver->n_steps = bounded.n_steps;
        return status;
    }
    learn_rows(&run, X, model, loss, targets, n_threads);
    solver->n_steps = run.n_steps;
    *total = run.total;
    *bad_row = run.bad_row;
    return run.status;
}
