/* The phases of batches. In a phase threads share the row blocks of the batch, the partitions of its
 * features, or (in the gradient of an FM) one share of the features for each thread.
 *
 *   FM   SCORING    by row block   copy, check and score rows; in training, sort their values by
 *                                  partition
 *        UPDATING   by partition   training: sum gradients in row order; update each parameter once
 *                   by share       gradient: add the gradients of all rows, in row order; such rows
 *                                  are copied only if they must be (find_block in batch_phases.c)
 *
 *   FFM  LOADING    by row block   copy and check rows; sort their features by partition
 *        ASSIGNING  by partition   give accumulators to features that more than one row has
 *        SCORING    by row block   score each row, add its gradients to the accumulators of the
 *                                  block, and update the features that no other row has
 *        UPDATING   by partition   sum accumulators in block order; update all other features once
 *
 * Before the first batch there may be one phase of the driver's, before_all. The thread that ends a
 * phase calls next_phase, which looks for faults, starts the next phase, and calls
 * the hooks between batches. Row blocks and partitions depend on the batch alone. So does the order
 * of all sums; threads only decide who makes them. */
#include "solvers/batch_run.h"

#include "base/parallel.h"
#include "solvers/batch_phases.h"

/* The fault of the first row of the batch that has one, or OK; bad_row is set to that row of X. */
static fastfm_status fault_of_batch(batch_run *run)
{
    int64_t place;
    const fastfm_status status = workspace_fault(&run->batch.work, run->batch.n_threads, &place);
    if (status != FASTFM_OK)
        run->bad_row = source_row(&run->batch, place);
    return status;
}

/* Says what the threads do next, unless there is a fault: then returns 0. */
static int start_phase(batch_run *run, batch_phase phase, parallel_block next_body,
                       int64_t n_next_blocks, parallel_block *body, int64_t *n_blocks)
{
    run->phase = phase;
    *body = next_body;
    *n_blocks = n_next_blocks;
    return run->status == FASTFM_OK;
}

/* Starts the next batch, with its first phase. Returns 0 if all rows are done or there is a fault. A batch
 * ends at the next multiple of batch_size, also if the batch before had to be cut because its arrays
 * were full: so where batches begin depends on the rows alone. */
static int start_batch(batch_run *run, parallel_block *body, int64_t *n_blocks)
{
    const int64_t size = run->batch_size;
    const int64_t end = min_i64(run->n_rows, run->begin - run->begin % size + size);
    const int is_ffm = run->batch.view.model->fields != NULL;
    if (run->begin == run->n_rows)
        return 0;
    if (run->before_batch)
        run->before_batch(run);
    if (run->batch.sorts_by_share)
        batch_take_range(&run->batch, run->begin, end - run->begin);
    else
        run->status = batch_take_rows(&run->batch, run->rows ? run->rows + run->begin : NULL,
                                      run->begin, end - run->begin, &run->bad_row);
    return start_phase(run, is_ffm ? LOADING : SCORING,
                       is_ffm                      ? load_and_partition_block
                       : run->batch.sorts_by_share ? score_and_share_block
                                                   : score_and_partition_block,
                       run->batch.view.n_blocks, body, n_blocks);
}

/* After the last phase of a batch. The hook comes first, because it may report a fault too: that of w0. */
static void finish_batch(batch_run *run)
{
    run->after_batch(run);
    run->status = fault_of_batch(run);
    run->begin += run->batch.n_rows;
}

/* Whether the gradients of the batch are added value by value to the caller's arrays: those of an FM are. */
static int adds_shares(const training_batch *batch)
{
    return batch->view.solver->rule == FASTFM_SUM && !batch->view.model->fields;
}

/* The next_phase_fn of parallel_phases: called by one thread, when all blocks of run->phase are done. Returns
 * 0 at the end, or after a fault. */
static int next_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    batch_run *run = (batch_run *)context;
    training_batch *batch = &run->batch;
    const batch_view *view = &batch->view;
    switch (run->phase) {
    case BEFORE_ALL:
        run->phase = BEFORE_BATCH;
        if (run->n_before_all == 0)
            return start_batch(run, body, n_blocks);
        *body = run->before_all;
        *n_blocks = run->n_before_all;
        return 1;
    case UPDATING:
        finish_batch(run);
        /* fall through */
    case BEFORE_BATCH:
        return run->status == FASTFM_OK && start_batch(run, body, n_blocks);
    case LOADING:
        run->status = fault_of_batch(run);
        if (run->status == FASTFM_OK)
            run->status = reserve_thread_memory(batch, 1);
        if (run->status == FASTFM_OK)
            place_accumulators(batch);
        return start_phase(run, ASSIGNING, assign_partition_accumulators, view->n_partitions, body,
                           n_blocks);
    case ASSIGNING:
        return start_phase(run, SCORING, score_and_accumulate_block, view->n_blocks, body,
                           n_blocks);
    default: /* SCORING */
        run->status = fault_of_batch(run);
        if (adds_shares(batch))
            return start_phase(run, UPDATING, add_gradient_share, view->shares->n, body, n_blocks);
        if (run->status == FASTFM_OK && !view->model->fields)
            run->status = reserve_thread_memory(batch, 1);
        return start_phase(run, UPDATING, reduce_and_update_partition, view->n_partitions, body,
                           n_blocks);
    }
}

fastfm_status batch_run_all(batch_run *run)
{
    run->phase = BEFORE_ALL;
    parallel_phases(next_phase, run, run->batch.n_threads);
    return run->status;
}
