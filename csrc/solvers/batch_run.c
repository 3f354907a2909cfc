/* The phases of batches.
 *
 * Threads share the blocks of a batch's rows, or the parts into which its features are sorted.
 * FM: SCORING, by blocks: each row is scored with the parameters as they are, and its loss gradient is kept.
 * UPDATING, by parts: gradients are summed in the order of rows, and each parameter is updated once.
 * FFM: LOADING, by blocks, and LINKING, by parts: it is found which features are in one row only.
 * SCORING, by blocks: each row is scored, and its gradients are added to the sums of its block; those
 * features are updated. UPDATING, by parts: sums come together in the order of blocks, and each of the
 * other parameters is updated once. */
#include "solvers/batch_run.h"

#include "solvers/batch_phases.h"

static fastfm_status fault_of_batch(batch_run *run)
{
    int64_t place;
    const fastfm_status status = workspace_fault(&run->batch.work, run->batch.n_threads, &place);
    if (status != FASTFM_OK)
        run->bad_row = run->batch.rows[place];
    return status;
}

/* Batches start at multiples of batch_size, also after one that had to be cut. */
static int start_batch(batch_run *run, parallel_block *body, int64_t *n_blocks)
{
    const int64_t size = run->batch_size;
    const int64_t end = min_i64(run->n_rows, run->begin - run->begin % size + size);
    const int is_ffm = run->batch.b.model->fields != NULL;
    if (run->begin == run->n_rows)
        return 0;
    run->start(run);
    run->status = batch_take(&run->batch, run->rows + run->begin, end - run->begin, &run->bad_row);
    run->phase = is_ffm ? LOADING : SCORING;
    *body = is_ffm ? learn_load_block : learn_score_block;
    *n_blocks = run->batch.b.n_blocks;
    return run->status == FASTFM_OK;
}

static void finish_batch(batch_run *run)
{
    run->finish(run);
    run->status = fault_of_batch(run);
    run->begin += run->batch.n_rows;
}

static int next_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    batch_run *run = (batch_run *)context;
    training_batch *batch = &run->batch;
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
        if (run->status == FASTFM_OK && !batch->b.model->fields && batch->b.solver->rule != FASTFM_SUM)
            run->status = batch_make_room(batch, 1);
        run->phase = UPDATING;
        if (batch->b.solver->rule == FASTFM_SUM && !batch->b.model->fields) {
            *body = add_share;
            *n_blocks = batch->n_threads;
            return run->status == FASTFM_OK;
        }
        *body = learn_update_part;
        *n_blocks = batch->b.n_parts;
        return run->status == FASTFM_OK;
    }
}

fastfm_status batch_run_all(batch_run *run, int n_threads)
{
    run->phase = BEFORE_BATCH;
    parallel_phases(next_phase, run, n_threads);
    return run->status;
}
