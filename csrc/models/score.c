/* fastfm_score: blocks of rows with about equally many values, each checked and then scored. */
#include "base/parallel.h"
#include "rows/workspace.h"

/* Values in a block: its indices (64 kB of int32) are still in the cache when the kernel comes. */
#define BLOCK_VALUES 16384

typedef struct {
    const fastfm_csr *X;
    const fastfm_model *model;
    char *scores;
    const workspace *work;
    int64_t n_blocks;
} score_job;

static void score_block(void *context, int64_t block, int thread)
{
    const score_job *job = (const score_job *)context;
    const fastfm_csr *X = job->X;
    const fastfm_model *model = job->model;
    const int64_t begin = parallel_rows(X, 0, X->n_rows, block, job->n_blocks);
    const int64_t end = parallel_rows(X, 0, X->n_rows, block + 1, job->n_blocks);
    const score_kernel score = score_kernel_of(model, X);
    if (workspace_check(job->work, thread, X, model->n_features, begin, end) != FASTFM_OK)
        return;
    score(X, model, begin, end,
          job->scores + begin * model->n_outputs * (int64_t)real_size(model->real), NULL,
          job->work->max_row, workspace_scratch(job->work, thread));
}

double score_work(const fastfm_csr *X, const fastfm_model *model)
{
    return (double)X->nnz * (double)(model->n_factors * model->n_outputs) *
           (model->fields ? 16.0 : 1.0);
}

fastfm_status fastfm_score(const fastfm_csr *X, const fastfm_model *model, void *scores,
                           int num_threads, int64_t *bad_row)
{
    workspace work;
    score_job job = {X, model, (char *)scores, &work, 1};
    const int n_threads = parallel_threads(num_threads, score_work(X, model));
    fastfm_status status;
    if (X->n_rows == 0)
        return FASTFM_OK;
    status = workspace_open(&work, X, model, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    job.n_blocks = 1 + (X->nnz + X->n_rows) / BLOCK_VALUES;
    parallel_for(job.n_blocks, score_block, &job, n_threads);
    status = workspace_fault(&work, n_threads, bad_row);
    workspace_close(&work);
    return status;
}
