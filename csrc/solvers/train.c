/* fastfm_train: stochastic solvers in batches, with the same bits for any number of threads.
 *
 * Batches have phases. Threads share the blocks of a batch's rows, or the parts into which its features
 * are sorted.
 * FM: SCORING, by blocks: each row is scored with the parameters as they are, and its loss gradient kept.
 * UPDATING, by parts: gradients are summed in the order of rows, and each parameter is updated once.
 * FFM: LOADING, by blocks, and LINKING, by parts: it is found which features are in one row only.
 * SCORING, by blocks: each row is scored, and its gradients are added to the sums of its block; those
 * features are updated. UPDATING, by parts: sums come together in the order of blocks, and each of the
 * other parameters is updated once. */
#include <math.h>

#include "solvers/batch_phases.h"
#include "base/parallel.h"

#define LEARN_WORK 8.0 /* multiply-adds for one of scoring an FM */
#define FFM_LEARN_WORK 2.0

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
    int64_t n_rows, begin, n_steps;
    enum { BEFORE_BATCH, LOADING, LINKING, SCORING, UPDATING } phase;
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
    const int is_ffm = run->batch.b.model->fields != NULL;
    if (run->begin == run->n_rows)
        return 0;
    run->now = at_step(run->solver, run->n_steps);
    run->status = batch_take(&run->batch, run->rows + run->begin, end - run->begin, &run->bad_row);
    run->phase = is_ffm ? LOADING : SCORING;
    *body = is_ffm ? learn_load_block : learn_score_block;
    *n_blocks = run->batch.b.n_blocks;
    return run->status == FASTFM_OK;
}

static void finish_batch(training_run *run)
{
    learn_bias(&run->batch);
    run->status = fault_of_batch(run);
    run->begin += run->batch.n_rows;
    run->n_steps++;
}

static int next_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    training_run *run = (training_run *)context;
    training_batch *batch = &run->batch;
    double sum = 0;
    switch (run->phase) {
    case UPDATING:
        finish_batch(run);
        /* fall through */
    case BEFORE_BATCH:
        return run->status == FASTFM_OK && start_batch(run, body, n_blocks);
    case LOADING:
        run->status = fault_of_batch(run);
        if (run->status == FASTFM_OK)
            run->status = batch_make_room(batch, 1);
        if (run->status != FASTFM_OK)
            return 0;
        batch_place_slots(batch);
        run->phase = LINKING;
        *body = learn_link_part;
        *n_blocks = batch->b.n_parts;
        return 1;
    case LINKING:
        run->phase = SCORING;
        *body = learn_rows_block;
        *n_blocks = batch->b.n_blocks;
        return 1;
    default: /* SCORING */
        run->status = fault_of_batch(run);
        if (run->status == FASTFM_OK && !batch->b.model->fields)
            run->status = batch_make_room(batch, 1);
        for (int64_t i = 0; i < batch->n_rows && run->status == FASTFM_OK; i++)
            sum += batch->losses[i];
        run->total += sum;
        run->phase = UPDATING;
        *body = learn_update_part;
        *n_blocks = batch->b.n_parts;
        return run->status == FASTFM_OK;
    }
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
                        .total = *total};
    int n_threads;
    if (n_rows == 0)
        return FASTFM_OK;
    bounded.batch_size = min_i64(solver->batch_size, n_rows);
    n_threads = parallel_threads(num_threads, learn_work * per_row * (double)bounded.batch_size);
    learn_rows(&run, X, model, loss, targets, n_threads);
    solver->n_steps = run.n_steps;
    *total = run.total;
    *bad_row = run.bad_row;
    return run.status;
}
