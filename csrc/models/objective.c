/* fastfm_objective: the data term of the objective, sum_i weight_i loss(scores_i, y_i).
 *
 * X is taken in chunks of CHUNK_ROWS rows. Threads share the row blocks of a chunk: each block is
 * prepared, scored, and its losses are kept. When all blocks are done, one thread adds the losses in
 * row order: so the bits depend neither on the threads nor on the blocks. */
#include <stdlib.h>

#include "base/parallel.h"
#include "losses/loss.h"
#include "models/loss_sums.h"
#include "models/score.h"
#include "rows/prepare_block.h"

#define CHUNK_ROWS (INT64_C(512) * FASTFM_ROW_BLOCK)

/* A chunk: rows whose losses are kept until they can be summed in order. */
typedef struct {
    const fastfm_csr *X; /* the rows of the chunk; targets begin with them */
    const fastfm_model *model;
    const fastfm_loss *loss;
    const fastfm_targets *targets;
    const workspace *work;
    double *losses;        /* (n_rows,) takes weight * loss */
    double *row_gradients; /* (n_rows, n_outputs) takes loss gradients, which nobody reads */
    char *scores;          /* (n_rows, n_outputs) of the model's type */
} chunk;

/* Scores a row block of the chunk and computes its losses. A loss that is not finite is a result like
 * any other. After a bad label the rest of the block is left. */
static void compute_block(void *context, int64_t block, int thread)
{
    const chunk *job = (const chunk *)context;
    const fastfm_model *model = job->model;
    const int64_t n_blocks = job->work->n_blocks, C = model->n_outputs;
    const int64_t begin = row_block_begin(job->X, 0, job->X->n_rows, block, n_blocks);
    const int64_t end = row_block_begin(job->X, 0, job->X->n_rows, block + 1, n_blocks);
    const int64_t score_bytes = C * (int64_t)real_size(model->real);
    const scored_rows scored = {.loss = job->loss,
                                .targets = job->targets,
                                .weight_sum = 1,
                                .n_outputs = C,
                                .real = model->real,
                                .scores = job->scores,
                                .losses = job->losses,
                                .row_gradients = job->row_gradients};
    fastfm_csr rows;
    double *linear_scale;
    if (prepare_block(job->work, thread, job->X, model, begin, end, &rows, &linear_scale) !=
        FASTFM_OK)
        return;
    score_kernel_of(model, &rows)(&rows, linear_scale, model, 0, rows.n_rows,
                                  job->scores + begin * score_bytes, NULL, job->work->max_row,
                                  workspace_scratch(job->work, thread));
    for (int64_t i = begin; i < end; i++)
        if (weighted_loss(&scored, i, i) == FASTFM_BAD_LABEL) {
            workspace_report(job->work, thread, FASTFM_BAD_LABEL, i);
            return;
        }
}

/* Adds the losses of a chunk, whose first row is row `row` of the caller's X, to sums, which goes on
 * from chunk to chunk. *bad_row counts from the chunk's first row. */
static fastfm_status add_chunk(chunk *job, int64_t row, loss_sums *sums, int n_threads,
                               int64_t *bad_row)
{
    const int64_t C = job->model->n_outputs, n = job->X->n_rows;
    workspace work;
    fastfm_status status =
        workspace_open(&work, job->X, job->model, SCORE_BLOCK_VALUES, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    job->work = &work;
    job->losses = (double *)malloc((size_t)n * (size_t)(1 + 2 * C) * sizeof(double));
    if (!job->losses) {
        workspace_close(&work);
        return FASTFM_NO_MEMORY;
    }
    job->row_gradients = job->losses + n;
    job->scores = (char *)(job->row_gradients + n * C);
    parallel_for(work.n_blocks, compute_block, job, n_threads);
    status = workspace_fault(&work, n_threads, bad_row);
    if (status == FASTFM_OK)
        loss_sums_add(sums, row, n, job->losses, NULL);
    free(job->losses);
    workspace_close(&work);
    return status;
}

fastfm_status fastfm_objective(const fastfm_csr *X, const fastfm_model *model,
                               const fastfm_loss *loss, const fastfm_targets *targets,
                               double *total, int num_threads, int64_t *bad_row)
{
    const int n_threads = parallel_threads(num_threads, score_work(X, model));
    double block = 0;
    loss_sums sums = {0, &block, total};
    fastfm_status status = FASTFM_OK;
    for (int64_t row = 0; row < X->n_rows && status == FASTFM_OK; row += CHUNK_ROWS) {
        const fastfm_csr rows = row_slice(X, row, min_i64(row + CHUNK_ROWS, X->n_rows));
        const fastfm_targets targets_of_rows = targets_slice(targets, row);
        chunk job = {.X = &rows, .model = model, .loss = loss, .targets = &targets_of_rows};
        status = add_chunk(&job, row, &sums, n_threads, bad_row);
        *bad_row += row;
    }
    loss_sums_end_block(&sums);
    return status == FASTFM_BAD_LABEL
               ? matrix_fault_or(status, X, model->n_features, num_threads, bad_row)
               : status;
}
