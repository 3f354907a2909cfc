/* fastfm_score: threads share the row blocks of X; each is prepared and then scored. A row's score
 * depends on the row and the model alone: blocks only decide who computes it. */
#include "models/score.h"

#include "base/parallel.h"
#include "rows/prepare_block.h"

/* Fields that a value of an FFM meets, about: not the model's n_fields, of which a row may have few. */
#define FFM_PARTNERS 16.0

/* One call of fastfm_score. */
typedef struct {
    const fastfm_csr *X;
    const fastfm_model *model;
    char *scores; /* (n_rows, n_outputs) of the model's type */
    const workspace *work;
} score_job;

/* Writes the scores of a row block, unless its columns are at fault; prepare_block has then reported
 * that, and the caller's scores of these rows stay as they are. */
static void score_block(void *context, int64_t block, int thread)
{
    const score_job *job = (const score_job *)context;
    const fastfm_csr *X = job->X;
    const fastfm_model *model = job->model;
    const int64_t n_blocks = job->work->n_blocks;
    const int64_t begin = row_block_begin(X, 0, X->n_rows, block, n_blocks);
    const int64_t end = row_block_begin(X, 0, X->n_rows, block + 1, n_blocks);
    const int64_t score_bytes = model->n_outputs * (int64_t)real_size(model->real);
    fastfm_csr rows;
    double *linear_scale;
    if (prepare_block(job->work, thread, X, model, begin, end, &rows, &linear_scale) != FASTFM_OK)
        return;
    score_kernel_of(model, &rows)(&rows, linear_scale, model, 0, rows.n_rows,
                                  job->scores + begin * score_bytes, NULL, job->work->max_row,
                                  workspace_scratch(job->work, thread));
}

double score_work(const fastfm_csr *X, const fastfm_model *model)
{
    const double factors = (double)model->n_factors * (double)model->n_outputs;
    return (double)count_values(X) * factors * (model->fields ? FFM_PARTNERS : 1.0);
}

fastfm_status fastfm_score(const fastfm_csr *X, const fastfm_model *model, void *scores,
                           int num_threads, int64_t *bad_row)
{
    workspace work;
    score_job job = {X, model, (char *)scores, &work};
    const int n_threads = parallel_threads(num_threads, score_work(X, model));
    fastfm_status status;
    if (X->n_rows == 0)
        return FASTFM_OK;
    status = workspace_open(&work, X, model, SCORE_BLOCK_VALUES, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    parallel_for(work.n_blocks, score_block, &job, n_threads);
    status = workspace_fault(&work, n_threads, bad_row);
    workspace_close(&work);
    return status;
}
