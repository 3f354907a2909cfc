/* fastfm_gradient: the objective and its gradient. It goes through the rows in batches as training
 * does, with a rule that adds a batch's gradients to the caller's arrays; the model stays as it is.
 *
 * An FM adds the gradients of each row, in row order, so how many rows a batch has does not change
 * the bits. An FFM sums those of a row block first: its batches have a fixed number of rows. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "models/loss_sums.h"
#include "models/score.h"
#include "rows/prepare_block.h"
#include "solvers/batch_run.h"

#define PAGE_BYTES 4096
#define SHARE_BYTES (INT64_C(64) << 20) /* of fresh memory, that a thread touches at a time */
#define FFM_BATCH_ROWS 2048
#define CACHE_BYTES 262144 /* of V, that the rows of one thread's batch touch */
#define KEPT_BYTES 4194304 /* by the rows of several threads' batch */

/* As few rows that what is kept of them stays in the cache of a thread, or of all. */
static int64_t batch_rows(const fastfm_csr *X, const fastfm_model *model, int n_threads)
{
    const int64_t real = (int64_t)real_size(model->real), C = model->n_outputs;
    const int64_t row_values = X->nnz / max_i64(X->n_rows, 1) + 1; /* on average */
    const int64_t kept_bytes = 8 * (1 + 3 * C) + C * model->n_factors * real;
    int64_t rows = KEPT_BYTES / kept_bytes;
    if (n_threads == 1) /* divided twice: a product of values and bytes could overflow */
        rows = CACHE_BYTES / (feature_stride(model) * real) / row_values;
    if (model->fields)
        rows = FFM_BATCH_ROWS;
    return max_i64(1, min_i64(rows, X->n_rows));
}

/* Writes zeros to a share of fresh memory, once a page: page faults in the order of addresses, by
 * all threads, cost less than those of scattered additions (docs/lab-notebook.md). */
static void touch_pages(void *memory, int64_t bytes, int64_t share, int64_t n_shares)
{
    const int64_t n_pages = bytes / PAGE_BYTES, end = n_pages * (share + 1) / n_shares;
    for (int64_t page = n_pages * share / n_shares; page < end; page++)
        ((volatile char *)memory)[page * PAGE_BYTES] = 0;
}

typedef struct {
    const fastfm_gradient_arrays *gradient;
    int64_t w_bytes, V_bytes, n_shares;
} touch_job;

static void touch_share(void *context, int64_t share, int thread)
{
    const touch_job *job = (const touch_job *)context;
    (void)thread;
    touch_pages(job->gradient->w, job->w_bytes, share, job->n_shares);
    touch_pages(job->gradient->V, job->V_bytes, share, job->n_shares);
}

static void touch_arrays(const fastfm_gradient_arrays *gradient, const fastfm_model *model,
                         int n_threads)
{
    const int64_t feature_bytes = model->n_features * (int64_t)real_size(model->real);
    touch_job job = {.gradient = gradient};
    job.w_bytes = model->n_outputs * feature_bytes;
    job.V_bytes = feature_stride(model) * feature_bytes;
    job.n_shares = 1 + (job.w_bytes + job.V_bytes) / SHARE_BYTES;
    parallel_for(job.n_shares, touch_share, &job, n_threads);
}

static void finish_batch(batch_run *run)
{
    loss_sums_add((loss_sums *)run->context, run->begin, run->batch.n_rows, run->batch.losses,
                  run->batch.row_gradients);
}

/* The rows of X in order, of which batches are parts. */
static int64_t *row_numbers(int64_t n)
{
    int64_t *rows = (int64_t *)malloc(sizeof(int64_t) * (size_t)n);
    for (int64_t i = 0; rows && i < n; i++)
        rows[i] = i;
    return rows;
}

/* Whether a row has weight zero. */
static int has_absent_row(const fastfm_targets *targets, int64_t n)
{
    int64_t i = 0;
    while (targets->weight && i < n && targets->weight[i] != 0)
        i++;
    return targets->weight && i < n;
}

static fastfm_status add_gradient(batch_run *run, const fastfm_csr *X, const fastfm_model *model,
                                  const fastfm_loss *loss, const fastfm_targets *targets,
                                  double weight_sum, const fastfm_gradient_arrays *gradient,
                                  int n_threads, int64_t *bad_row)
{
    const fastfm_solver solver = {.rule = FASTFM_SUM};
    fastfm_status status = batch_open(&run->batch, X, model, loss, targets, &solver,
                                      run->batch_size, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    run->batch.view.target = (fastfm_state){NULL, gradient->w, gradient->V};
    run->batch.weight_sum = weight_sum;
    if (gradient->is_fresh)
        touch_arrays(gradient, model, n_threads);
    status = batch_run_all(run);
    batch_close(&run->batch);
    *bad_row = run->bad_row;
    return status;
}

fastfm_status fastfm_gradient(const fastfm_csr *X, const fastfm_model *model,
                              const fastfm_loss *loss, const fastfm_targets *targets,
                              double weight_sum, double *total,
                              const fastfm_gradient_arrays *gradient, int num_threads,
                              int64_t *bad_row)
{
    const int64_t C = model->n_outputs;
    const int n_threads = parallel_threads(num_threads, score_work(X, model));
    double *memory = (double *)calloc((size_t)(2 * (1 + C)), sizeof(double));
    int64_t *rows = row_numbers(max_i64(X->n_rows, 1));
    loss_sums sums = {C, memory, memory ? memory + 1 + C : NULL};
    batch_run run = {.rows = rows,
                     .n_rows = X->n_rows,
                     .batch_size = batch_rows(X, model, n_threads),
                     .finish = finish_batch,
                     .context = &sums};
    fastfm_status status = memory && rows ? FASTFM_OK : FASTFM_NO_MEMORY;
    /* Batches leave out rows of weight zero: their columns are checked here, as fastfm_objective
     * checks them. */
    if (status == FASTFM_OK && has_absent_row(targets, X->n_rows))
        status = fastfm_check(X, model->n_features, NULL, NULL, num_threads, bad_row);
    if (status == FASTFM_OK && X->n_rows > 0) {
        sums.total[0] = *total;
        memcpy(sums.total + 1, gradient->w0, sizeof(double) * (size_t)C);
        status =
            add_gradient(&run, X, model, loss, targets, weight_sum, gradient, n_threads, bad_row);
        if (status == FASTFM_OK) {
            loss_sums_end_block(&sums);
            *total = sums.total[0];
            memcpy(gradient->w0, sums.total + 1, sizeof(double) * (size_t)C);
        }
    }
    free(rows);
    free(memory);
    return status == FASTFM_BAD_LABEL
               ? matrix_fault_or(status, X, model->n_features, num_threads, bad_row)
               : status;
}
