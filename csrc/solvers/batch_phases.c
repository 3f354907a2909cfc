/* The phases of a batch: glue between the arrays of training_batch and the kernels.
 *
 * A function here finds the kernel for the types of model and rows, gives it the row block or
 * partition and the memory of its thread, and reports what it returns. Sums of losses and of w0's
 * gradient are not made here, because row blocks end in any order; the thread that ends the batch
 * makes them in row order (update_bias, and the hooks of train.c and gradient.c). */
#include "solvers/batch_phases.h"

#include <string.h>

#include "losses/loss.h"
#include "rows/blocks.h"
#include "rows/prepare_block.h"

/* Computes the weighted loss of row i of the batch and its gradient, from its scores. Returns OK, or
 * reports the fault: BAD_LABEL, or in training DIVERGED if the loss is not finite. A gradient
 * (FASTFM_SUM) may have any loss. */
static fastfm_status compute_loss(const training_batch *batch, int thread, int64_t i)
{
    const batch_view *view = &batch->view;
    const scored_rows rows = {.loss = batch->loss,
                              .targets = batch->targets,
                              .weight_sum = batch->weight_sum,
                              .n_outputs = view->model->n_outputs,
                              .real = view->model->real,
                              .scores = view->scores,
                              .losses = batch->losses,
                              .row_gradients = batch->row_gradients,
                              .dscores = view->dscores};
    fastfm_status status = weighted_loss(&rows, i, source_row(batch, i));
    if (status == FASTFM_DIVERGED && view->solver->rule == FASTFM_SUM)
        status = FASTFM_OK;
    if (status != FASTFM_OK)
        workspace_report(&batch->work, thread, status, i);
    return status;
}

/* The batch's copy of its rows, as if it ended before row `end`. Kernels prefetch up to the end of a matrix,
 * and must not read indices of the next block, which another thread may be copying. */
static fastfm_csr rows_until(const training_batch *batch, int64_t end)
{
    fastfm_csr rows = batch->view.rows;
    rows.nnz = index_at(rows.indptr, rows.index_type, end);
    return rows;
}

/* Copies a row block, with repeated columns summed, and checks its columns. Returns whether they are
 * sound. */
static int load_block(const training_batch *batch, int64_t block, int thread)
{
    const fastfm_csr rows = rows_until(batch, batch->view.block_begin[block + 1]);
    fastfm_status status;
    batch_copy_block(batch, block, 0, thread);
    status = workspace_check(&batch->work, thread, &rows, batch->view.model->n_features,
                             batch->view.block_begin[block], batch->view.block_begin[block + 1]);
    if (status == FASTFM_REPEATED_COLUMN)
        batch_copy_block(batch, block, 1, thread);
    return status != FASTFM_BAD_INDEX;
}

/* Sets *rows to a row block of the gradient of an FM, whose rows are consecutive rows of the source: in
 * place, or in the batch's copy if columns repeat or rows are divided. Returns whether their columns
 * are sound; if not, the fault has been reported, as a place in the batch. */
static int find_block(const training_batch *batch, int64_t block, int thread, fastfm_csr *rows)
{
    const batch_view *view = &batch->view;
    const int64_t begin = view->block_begin[block], end = view->block_begin[block + 1];
    const int64_t first = source_row(batch, 0);
    int64_t bad_row = 0;
    const fastfm_status status = kernels()->check[view->rows.index_type == FASTFM_I64](
        batch->source, view->model->n_features, first + begin, first + end,
        workspace_table(&batch->work, thread), &bad_row);
    *rows = row_slice(batch->source, first + begin, first + end);
    if (status == FASTFM_BAD_INDEX) {
        workspace_report(&batch->work, thread, status, bad_row - first);
        return 0;
    }
    if (status == FASTFM_REPEATED_COLUMN || view->model->normalization != FASTFM_AS_IS) {
        batch_copy_block(batch, block, status == FASTFM_REPEATED_COLUMN, thread);
        const fastfm_csr copy = rows_until(batch, end);
        *rows = row_slice(&copy, begin, end);
    }
    return 1;
}

/* Scores the rows of a row block of an FM, of which the first is row `begin` of the batch, and computes their
 * losses. After a fault the rest of the block is left, because the batch will not be learned from. */
static void score_block(const training_batch *batch, const fastfm_csr *rows, int64_t begin,
                        int thread)
{
    const batch_view *view = &batch->view;
    const fastfm_model *fm = view->model;
    const int64_t score_bytes = fm->n_outputs * (int64_t)real_size(fm->real);
    score_kernel_of(fm, rows)(rows, view->linear_scale ? view->linear_scale + begin : NULL, fm, 0,
                              rows->n_rows, view->scores + begin * score_bytes,
                              view->s + begin * fm->n_factors * score_bytes, view->max_row, NULL);
    for (int64_t i = begin; i < begin + rows->n_rows; i++)
        if (compute_loss(batch, thread, i) != FASTFM_OK)
            return;
}

/* Scores use the parameters as they were before the batch: no phase of an FM updates while it scores. */
void score_and_partition_block(void *context, int64_t block, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const batch_view *view = &batch->view;
    const int64_t begin = view->block_begin[block], end = view->block_begin[block + 1];
    fastfm_csr rows;
    if (view->block_rows) {
        if (!find_block(batch, block, thread, &rows))
            return;
        view->block_rows[block] = rows;
    } else {
        if (!load_block(batch, block, thread))
            return;
        rows = rows_until(batch, end);
        const int64_t first = index_at(rows.indptr, rows.index_type, begin);
        rows = row_slice(&rows, begin, end); /* row 0 is row `begin`, as from find_block */
        KERNEL_OF(kernels()->fm_partition_values, view->model, &rows)
        (view, block, &rows, begin, first);
    }
    score_block(batch, &rows, begin, thread);
}

/* Rows that must be copied are so in the memory of the thread, because nobody reads them later. */
void score_and_share_block(void *context, int64_t block, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const batch_view *view = &batch->view;
    const int64_t begin = view->block_begin[block], end = view->block_begin[block + 1];
    const fastfm_csr X =
        row_slice(batch->source, batch->first_row, batch->first_row + batch->n_rows);
    const int64_t first =
        index_at(X.indptr, X.index_type, begin) - index_at(X.indptr, X.index_type, 0);
    double *linear_scale;
    fastfm_csr rows;
    if (prepare_block(&batch->work, thread, &X, view->model, begin, end, &rows, &linear_scale) !=
        FASTFM_OK)
        return;
    if (linear_scale)
        memcpy(view->linear_scale + begin, linear_scale, (size_t)(end - begin) * sizeof(double));
    KERNEL_OF(kernels()->fm_share_values, view->model, &rows)(view, block, &rows, begin, first);
    score_block(batch, &rows, begin, thread);
}

/* All labels are looked at before any row is learned from; BAD_LABEL leaves the batch unlearned. */
void load_and_partition_block(void *context, int64_t block, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const batch_view *view = &batch->view;
    const int64_t begin = batch->view.block_begin[block], end = batch->view.block_begin[block + 1];
    if (!load_block(batch, block, thread))
        return;
    for (int64_t i = begin; i < end; i++)
        if (!loss_takes_label(batch->loss, batch->targets, source_row(batch, i),
                              view->model->n_outputs))
            workspace_report(&batch->work, thread, FASTFM_BAD_LABEL, i);
    KERNEL_OF(kernels()->ffm_partition_features, view->model, &view->rows)
    (view, block, begin, end, &batch->local[thread]);
}

/* No label or column is at fault any more. */
void assign_partition_accumulators(void *context, int64_t partition, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    kernels()->ffm_assign_accumulators[batch->view.model->real == FASTFM_F64](
        &batch->view, partition, &batch->local[thread]);
}

/* A row whose loss is not finite is left out, and all others are learned from, so that the bits
 * after a fault do not depend on the number of threads either. */
void score_and_accumulate_block(void *context, int64_t block, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const batch_view *view = &batch->view;
    const fastfm_model *ffm = view->model;
    const int64_t score_bytes = ffm->n_outputs * (int64_t)real_size(ffm->real);
    const int64_t end = batch->view.block_begin[block + 1];
    const int64_t *begin = view->partition_begin + block * (view->n_partitions + 1);
    const score_kernel score = score_kernel_of(ffm, &view->rows);
    const ffm_accumulate_kernel accumulate = kernels()->ffm_accumulate_row[ffm->real == FASTFM_F64];
    void *scratch = workspace_scratch(&batch->work, thread);
    thread_local_data *local = &batch->local[thread];
    /* The features are sorted by partition; the rows name them by local id. */
    for (int64_t e = begin[0]; e < begin[view->n_partitions]; e++)
        local->map.accumulator_of_feature[view->features[e].local_id] =
            view->features[e].accumulator;
    for (int64_t i = batch->view.block_begin[block]; i < end; i++) {
        /* Row by row: the score kernel prefetches nothing, because accumulate does. */
        const fastfm_csr rows = rows_until(batch, i + 1);
        score(&rows, NULL, ffm, i, i + 1, view->scores + i * score_bytes, NULL, view->max_row,
              scratch);
        if (compute_loss(batch, thread, i) == FASTFM_OK &&
            !accumulate(view, i, end, local, scratch))
            workspace_report(&batch->work, thread, FASTFM_DIVERGED, batch->n_rows - 1);
    }
}

/* DIVERGED names the last row of the batch: a sum over rows does not know which one it was. */
void reduce_and_update_partition(void *context, int64_t partition, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const batch_view *view = &batch->view;
    const int f64 = view->model->real == FASTFM_F64;
    thread_local_data *local = &batch->local[thread];
    const reduce_kernel reduce =
        view->model->fields ? kernels()->ffm_reduce_partition[f64]
                            : KERNEL_OF(kernels()->fm_reduce_partition, view->model, &view->rows);
    const int64_t n = reduce(view, partition, local);
    const gradient_accumulators *accumulators =
        view->model->fields ? &view->accumulators : &local->accumulators;
    if (!kernels()->update_features[f64](view, accumulators, local->to_update, n))
        workspace_report(&batch->work, thread, FASTFM_DIVERGED, batch->n_rows - 1);
}

/* Shares depend on the number of threads, and the bits do not: each gradient row belongs to one share, and
 * is added to in row order. */
void add_gradient_share(void *context, int64_t share, int thread)
{
    const training_batch *batch = (const training_batch *)context;
    const batch_view *view = &batch->view;
    const int64_t *begin = view->shares->begin + share;
    (void)thread;
    if (batch->sorts_by_share)
        KERNEL_OF(kernels()->fm_add_share, view->model, &view->rows)(view, share);
    else
        KERNEL_OF(kernels()->fm_gradient, view->model, &view->rows)(view, begin[0], begin[1]);
}

/* A batch in which every weight is zero leaves w0 alone, also where a rule would move it without a
 * gradient (Adam's means). */
void update_bias(const training_batch *batch)
{
    const fastfm_model *model = batch->view.model;
    const fastfm_solver *solver = batch->view.solver;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    for (int64_t c = 0; c < C && batch->n_weighted > 0; c++) {
        char *state0 = (char *)solver->state[0].w0, *state1 = (char *)solver->state[1].w0;
        double sum = 0, gradient;
        for (int64_t i = 0; i < batch->n_rows; i++)
            sum += batch->row_gradients[i * C + c];
        set_real(&gradient, model->real, 0, sum); /* the kernel reads the model's type */
        if (!kernels()->update_parameters[model->real == FASTFM_F64](
                solver, 1, (char *)model->w0 + c * real, state0 ? state0 + c * real : NULL,
                state1 ? state1 + c * real : NULL, &gradient))
            workspace_report(&batch->work, 0, FASTFM_DIVERGED, batch->n_rows - 1);
    }
}
