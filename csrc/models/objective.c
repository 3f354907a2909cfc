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

/* One call of fastfm_objective, and its present chunk: rows whose losses are kept until they are summed
 * in order. */
typedef struct {
    const fastfm_csr *X; /* all rows */
    const fastfm_model *model;
    const fastfm_loss *loss;
    const fastfm_targets *targets;
    const workspace *work;
    int64_t begin, end, n_blocks; /* the present chunk: rows [begin, end) of X, in row blocks */
    char *scores;                 /* (n, n_outputs) of the chunk, of the model's type */
    double *losses;               /* (n,) takes weight * loss */
    double *row_gradients;        /* (n, n_outputs) takes loss gradients, which nobody reads */
} objective_job;

/* Scores a row block of the chunk and computes its losses. A loss that is not finite is a result like
 * any other. After a bad label the rest of the block is left. */
static void compute_block(void *context, int64_t block, int thread)
{
    const objective_job *job = (const objective_job *)context;
    const fastfm_model *model = job->model;
    const int64_t C = model->n_outputs;
    const int64_t begin = row_block_begin(job->X, job->begin, job->end, block, job->n_blocks);
    const int64_t end = row_block_begin(job->X, job->begin, job->end, block + 1, job->n_blocks);
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
                                  job->scores + (begin - job->begin) * score_bytes, NULL,
                                  job->work->max_row, workspace_scratch(job->work, thread));
    for (int64_t i = begin; i < end; i++)
        if (weighted_loss(&scored, i - job->begin, i) == FASTFM_BAD_LABEL) {
            workspace_report(job->work, thread, FASTFM_BAD_LABEL, i);
            return;
        }
}

/* Allocates the arrays of a chunk, for n rows. Returns what is to be freed, or NULL without memory. */
static void *allocate_chunk(objective_job *job, int64_t n)
{
    const int64_t C = job->model->n_outputs;
    job->losses = (double *)malloc((size_t)n * (size_t)(1 + 2 * C) * sizeof(double));
    if (!job->losses)
        return NULL;
    job->row_gradients = job->losses + n;
    job->scores = (char *)(job->row_gradients + n * C);
    return job->losses;
}

/* Goes through all rows, chunk by chunk, and stops at the first fault. No chunk before that has one,
 * so it is the first of X. */
static fastfm_status add_chunks(objective_job *job, loss_sums *sums, int n_threads,
                                int64_t *bad_row)
{
    const fastfm_csr *X = job->X;
    fastfm_status status = FASTFM_OK;
    for (job->begin = 0; job->begin < X->n_rows && status == FASTFM_OK; job->begin = job->end) {
        job->end = min_i64(job->begin + CHUNK_ROWS, X->n_rows);
        const fastfm_csr rows = row_slice(X, job->begin, job->end);
        job->n_blocks = row_blocks(&rows, SCORE_BLOCK_VALUES);
        parallel_for(job->n_blocks, compute_block, job, n_threads);
        status = workspace_fault(job->work, n_threads, bad_row);
        if (status == FASTFM_OK)
            loss_sums_add(sums, job->begin, job->end - job->begin, job->losses, NULL);
    }
    return status;
}

fastfm_status fastfm_objective(const fastfm_csr *X, const fastfm_model *model,
                               const fastfm_loss *loss, const fastfm_targets *targets,
                               double *total, int num_threads, int64_t *bad_row)
{
    const int n_threads = parallel_threads(num_threads, score_work(X, model));
    double block = 0, sum = *total;
    workspace work;
    objective_job job = {.X = X, .model = model, .loss = loss, .targets = targets, .work = &work};
    loss_sums sums = {0, &block, &sum};
    fastfm_status status;
    void *memory;
    if (X->n_rows == 0)
        return FASTFM_OK;
    status = workspace_open(&work, X, model, SCORE_BLOCK_VALUES, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    memory = allocate_chunk(&job, min_i64(CHUNK_ROWS, X->n_rows));
    status = memory ? add_chunks(&job, &sums, n_threads, bad_row) : FASTFM_NO_MEMORY;
    free(memory);
    workspace_close(&work);
    if (status == FASTFM_OK) {
        loss_sums_end_block(&sums);
        *total = sum;
    }
    return status == FASTFM_BAD_LABEL
               ? matrix_fault_or(status, X, model->n_features, num_threads, bad_row)
               : status;
}
