/* fastfm_train: stochastic solvers in batches, with the same bits for any number of threads.
 *
 * A batch goes through phases. In a phase, threads share the row blocks of the batch, or the
 * partitions of its features; a phase begins when the one before has ended.
 *
 *   FM   SCORING    by row block   copy, check and score rows; sort their values by partition
 *        UPDATING   by partition   sum gradients in row order; update each parameter once
 *
 *   FFM  LOADING    by row block   copy and check rows; sort their features by partition
 *        ASSIGNING  by partition   give accumulators to features that more than one row has
 *        SCORING    by row block   score each row, add its gradients to the accumulators of the
 *                                  block, and update the features that no other row has
 *        UPDATING   by partition   sum accumulators in block order; update all other features once
 *
 * The thread that ends a phase starts the next one, in next_phase: it looks for faults, and updates
 * w0 at the end of a batch. Row blocks and partitions depend on the batch alone, and so does the
 * order of all sums; threads only decide who makes them. */
#include <math.h>

#include "base/parallel.h"
#include "solvers/batch_phases.h"

/* Multiply-adds of training on a row for each one of scoring it: decides how many threads pay. */
#define FM_TRAIN_WORK 8.0
#define FFM_TRAIN_WORK 2.0

/* From the list in fastfm.h. */
int fastfm_rule_n_states(fastfm_rule rule)
{
#define N_STATES(name, function, n_states, degree, per_row) n_states,
    static const int numbers[] = {FASTFM_RULE_LIST(N_STATES)};
#undef N_STATES
    return numbers[rule];
}

/* The solver as the kernels read it at step `step`, from 0: Adam's bias correction is part of the
 * learning rate. */
static fastfm_solver at_step(const fastfm_solver *solver, int64_t step)
{
    fastfm_solver now = *solver;
    if (solver->rule == FASTFM_ADAM) {
        const double t = (double)step + 1;
        now.learning_rate *= sqrt(1 - pow(solver->beta2, t)) / (1 - pow(solver->beta1, t));
    }
    return now;
}

/* One call of fastfm_train: batch after batch of the rows. */
typedef struct {
    training_batch batch;
    const fastfm_solver *solver;
    fastfm_solver now; /* at_step of the present batch; batch.view.solver points here */
    const int64_t *rows;
    int64_t n_rows, begin; /* the present batch begins at rows[begin] */
    int64_t n_steps;
    enum { BEFORE_BATCH, LOADING, ASSIGNING, SCORING, UPDATING } phase;
    double total;
    fastfm_status status;
    int64_t bad_row;
} training_run;

/* The first fault that a thread has reported for the batch, with its row in X. */
static fastfm_status fault_of_batch(training_run *run)
{
    int64_t place;
    const fastfm_status status = workspace_fault(&run->batch.work, run->batch.n_threads, &place);
    if (status != FASTFM_OK)
        run->bad_row = run->batch.row_numbers[place];
    return status;
}

/* Starts the next batch, unless all rows are done. A batch ends at the next multiple of batch_size,
 * also when the one before had to be cut: so where batches start depends on the rows alone. */
static int start_batch(training_run *run, parallel_block *body, int64_t *n_blocks)
{
    const int64_t size = run->solver->batch_size;
    const int64_t end = min_i64(run->n_rows, run->begin - run->begin % size + size);
    const int is_ffm = run->batch.view.model->fields != NULL;
    if (run->begin == run->n_rows)
        return 0;
    run->now = at_step(run->solver, run->n_steps);
    run->status =
        batch_take_rows(&run->batch, run->rows + run->begin, end - run->begin, &run->bad_row);
    run->phase = is_ffm ? LOADING : SCORING;
    *body = is_ffm ? load_and_partition_block : score_and_partition_block;
    *n_blocks = run->batch.view.n_blocks;
    return run->status == FASTFM_OK;
}

/* After the last phase of a batch, and before its arrays are used again. */
static void finish_batch(training_run *run)
{
    update_bias(&run->batch);
    run->status = fault_of_batch(run);
    run->begin += run->batch.n_rows;
    run->n_steps++;
}

/* parallel_phases calls this when all blocks of a phase are done. Returns 0 at the end, or after a
 * fault. */
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
    case LOADING: /* all values are checked, and all features sorted */
        run->status = fault_of_batch(run);
        if (run->status == FASTFM_OK)
            run->status = reserve_thread_memory(batch, 1);
        if (run->status != FASTFM_OK)
            return 0;
        place_accumulators(batch);
        run->phase = ASSIGNING;
        *body = assign_partition_accumulators;
        *n_blocks = batch->view.n_partitions;
        return 1;
    case ASSIGNING: /* which cannot fail */
        run->phase = SCORING;
        *body = score_and_accumulate_block;
        *n_blocks = batch->view.n_blocks;
        return 1;
    default: /* SCORING: add the losses in row order, and then update */
        run->status = fault_of_batch(run);
        if (run->status == FASTFM_OK && !batch->view.model->fields)
            run->status = reserve_thread_memory(batch, 1);
        for (int64_t i = 0; i < batch->n_rows && run->status == FASTFM_OK; i++)
            sum += batch->losses[i];
        run->total += sum;
        run->phase = UPDATING;
        *body = reduce_and_update_partition;
        *n_blocks = batch->view.n_partitions;
        return run->status == FASTFM_OK;
    }
}

/* Allocates for the largest batch, goes through all of them, and frees. */
static fastfm_status train_batches(training_run *run, const fastfm_csr *X,
                                   const fastfm_model *model, const fastfm_loss *loss,
                                   const fastfm_targets *targets, int n_threads)
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
    /* The work of one batch, and not of all rows: threads share a batch at a time. */
    const double work = model->fields ? FFM_TRAIN_WORK : FM_TRAIN_WORK;
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
    n_threads = parallel_threads(num_threads, work * per_row * (double)bounded.batch_size);
    train_batches(&run, X, model, loss, targets, n_threads);
    solver->n_steps = run.n_steps;
    *total = run.total;
    *bad_row = run.bad_row;
    return run.status;
}
