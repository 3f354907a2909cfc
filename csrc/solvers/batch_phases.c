#include "solvers/batch_phases.h"

#include <math.h>

#include "losses/loss.h"

static fastfm_status find_loss(const training_batch *batch, int thread, int64_t i)
{
    const int64_t row = batch->rows[i], C = batch->b.model->n_outputs;
    const double weight = weight_of(batch->targets, row);
    double *value = &batch->losses[i];
    fastfm_status status =
        loss_row_weighted(batch->loss, batch->targets, row, batch->b.scores, batch->b.model->real,
                          i, C, batch->weight_sum, value, batch->row_gradients + i * C, batch->b.dscores);
    if (status == FASTFM_OK && batch->b.solver->rule != FASTFM_SUM && weight != 0 && !isfinite(*value))
        status = FASTFM_DIVERGED;
    if (status == FASTFM_OK)
        *value = weight == 0 ? 0 : *value * weight;
    else
        workspace_report(&batch->work, thread, status, i);
    return status;
}

/* Kernels look ahead: not into the next block, which another thread may be copying. */
static fastfm_csr rows_until(const training_batch *batch, int64_t end)
{
    fastfm_csr rows = batch->b.X;
    rows.nnz = index_at(rows.indptr, rows.index_type, end);
    return rows;
}

static int load_block(const training_batch *batch, int64_t block, int thread)
{
    const fastfm_csr rows = rows_until(batch, batch->block_begin[block + 1]);
    fastfm_status status;
    batch_copy_block(batch, block, 0, thread);
    status = workspace_check(&batch->work, thread, &rows, batch->b.model->n_features,
                             batch->block_begin[block], batch->block_begin[block + 1]);
    if (status == FASTFM_REPEATED_COLUMN)
        batch_copy_block(batch, block, 1, thread);
    return status != FASTFM_BAD_INDEX;
}

void learn_score_block(void *context, int64_t block, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const fastfm_model *fm = batch->b.model;
    const int64_t begin = batch->block_begin[block], end = batch->block_begin[block + 1];
    const int64_t score_bytes = fm->n_outputs * (int64_t)real_size(fm->real);
    const fastfm_csr rows = rows_until(batch, end);
    if (!load_block(batch, block, thread))
        return;
    score_kernel_of(fm, &rows)(&rows, fm, begin, end, batch->b.scores + begin * score_bytes,
                               batch->b.s + begin * fm->n_factors * score_bytes, batch->b.max_row,
                               NULL);
    if (batch->b.solver->rule != FASTFM_SUM)
        KERNEL_OF(kernels()->fm_partition, fm, &rows)(&batch->b, block, begin, end);
    for (int64_t i = begin; i < end; i++)
        if (find_loss(batch, thread, i) != FASTFM_OK)
            return;
}

void learn_load_block(void *context, int64_t block, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const int64_t begin = batch->block_begin[block], end = batch->block_begin[block + 1];
    if (!load_block(batch, block, thread))
        return;
    for (int64_t i = begin; i < end; i++)
        if (!loss_takes_label(batch->loss, batch->targets, batch->rows[i],
                              batch->b.model->n_outputs))
            workspace_report(&batch->work, thread, FASTFM_BAD_LABEL, i);
    KERNEL_OF(kernels()->ffm_partition, batch->b.model, &batch->b.X)(&batch->b, block, begin, end,
                                                                     &batch->own[thread]);
}

void learn_link_part(void *context, int64_t part, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    kernels()->ffm_link[batch->b.model->real == FASTFM_F64](&batch->b, part, &batch->own[thread]);
}

/* A row whose loss is not finite is left out, whatever the others do: so bits do not depend on the threads. */
void learn_rows_block(void *context, int64_t block, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const batch_data *B = &batch->b;
    const fastfm_model *ffm = B->model;
    const int64_t score_bytes = ffm->n_outputs * (int64_t)real_size(ffm->real);
    const int64_t end = batch->block_begin[block + 1];
    const int64_t *begin = B->part_begin + block * (B->n_parts + 1);
    const score_kernel score = score_kernel_of(ffm, &B->X);
    const ffm_learn_kernel learn = kernels()->ffm_learn[ffm->real == FASTFM_F64];
    void *scratch = workspace_scratch(&batch->work, thread);
    thread_data *own = &batch->own[thread];
    for (int64_t e = begin[0]; e < begin[B->n_parts]; e++)
        own->slot_of[B->features[e].number] = B->features[e].slot;
    for (int64_t i = batch->block_begin[block]; i < end; i++) {
        const fastfm_csr rows = rows_until(batch, i + 1); /* ffm_learn prefetches the next row */
        score(&rows, ffm, i, i + 1, B->scores + i * score_bytes, NULL, B->max_row, scratch);
        if (find_loss(batch, thread, i) == FASTFM_OK && !learn(B, i, end, own, scratch))
            workspace_report(&batch->work, thread, FASTFM_DIVERGED, batch->n_rows - 1);
    }
}

void learn_update_part(void *context, int64_t part, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const batch_data *B = &batch->b;
    const int f64 = B->model->real == FASTFM_F64;
    thread_data *own = &batch->own[thread];
    const sum_kernel sum = B->model->fields ? kernels()->ffm_sum_part[f64]
                                            : KERNEL_OF(kernels()->fm_sum_part, B->model, &B->X);
    const int64_t n = sum(B, part, own);
    if (!kernels()->update_slots[f64](B, B->model->fields ? &B->sums : &own->sums, own->slots, n))
        workspace_report(&batch->work, thread, FASTFM_DIVERGED, batch->n_rows - 1);
}

void learn_bias(const training_batch *batch)
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

void add_share(void *context, int64_t share, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    (void)thread;
    KERNEL_OF(kernels()->fm_gradient, batch->b.model, &batch->b.X)
    (&batch->b, share, batch->n_threads);
}
