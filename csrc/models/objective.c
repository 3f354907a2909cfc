/* fastfm_objective: the data term of the objective. Row blocks are prepared and scored in parallel;
 * the losses are then summed in row order. */
#include <stdlib.h>

#include "base/parallel.h"
#include "losses/loss.h"
#include "models/loss_sums.h"
#include "models/score.h"
#include "rows/prepare_block.h"

#define CHUNK_ROWS (INT64_C(512) * FASTFM_ROW_BLOCK) /* whose losses are kept at a time */

typedef struct {
    const fastfm_csr *X;
    const fastfm_model *model;
    const fastfm_loss *loss;
    const fastfm_targets *targets;
    const workspace *work;
    char *scores, *dscores; /* (n_rows, n_outputs) of the model's type */
    double *losses;         /* (n_rows,), weight * loss */
    double *row_gradients;  /* (n_rows, n_outputs) */
} objective_job;

static void score_block(void *context, int64_t block, int thread)
{
    const objective_job *job = (const objective_job *)context;
    const fastfm_model *model = job->model;
    const int64_t n_blocks = job->work->n_blocks, C = model->n_outputs;
    const int64_t begin = row_block_begin(job->X, 0, job->X->n_rows, block, n_blocks);
    const int64_t end = row_block_begin(job->X, 0, job->X->n_rows, block + 1, n_blocks);
    const int64_t score_bytes = C * (int64_t)real_size(model->real);
    fastfm_csr rows;
    double *linear_scale;
    if (prepare_block(job->work, thread, job->X, model, begin, end, &rows, &linear_scale) !=
        FASTFM_OK)
        return;
    score_kernel_of(model, &rows)(&rows, linear_scale, model, 0, rows.n_rows,
                                  job->scores + begin * score_bytes, NULL, job->work->max_row,
                                  workspace_scratch(job->work, thread));
    for (int64_t i = begin; i < end; i++) {
        const double weight = weight_of(job->targets, i);
        const fastfm_status status =
            loss_row_weighted(job->loss, job->targets, i, job->scores, model->real, i, C, 1,
                              &job->losses[i], job->row_gradients + i * C, job->dscores);
        if (status != FASTFM_OK) {
            workspace_report(job->work, thread, status, i);
            return;
        }
        job->losses[i] = weight == 0 ? 0 : weight * job->losses[i];
    }
}

/* The rows of one chunk; sums goes on from chunk to chunk. */
static fastfm_status add_chunk(objective_job *job, int64_t row, loss_sums *sums, int n_threads,
                               int64_t *bad_row)
{
    const int64_t C = job->model->n_outputs, n = job->X->n_rows;
    workspace work;
    fastfm_status status =
        workspace_open(&work, job->X, job->model, SCORE_BLOCK_VALUES, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    job->work = &work;
    job->losses = (double *)malloc((size_t)n * (size_t)(1 + 3 * C) * sizeof(double));
    if (!job->losses) {
        workspace_close(&work);
        return FASTFM_NO_MEMORY;
    }
    job->row_gradients = job->losses + n;
    job->scores = (char *)(job->row_gradients + n * C);
    job->dscores = job->scores + 8 * n * C;
    parallel_for(work.n_blocks, score_block, job, n_threads);
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
        objective_job job = {.X = &rows, .model = model, .loss = loss, .targets = &targets_of_rows};
        status = add_chunk(&job, row, &sums, n_threads, bad_row);
        *bad_row += row;
    }
    loss_sums_end_block(&sums);
    return status == FASTFM_BAD_LABEL
               ? matrix_fault_or(status, X, model->n_features, num_threads, bad_row)
               : status;
}
