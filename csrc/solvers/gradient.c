/* fastfm_gradient: the objective and its gradient. It goes through the rows in batches as training
 * does, with a rule that adds a batch's gradients to the caller's arrays; the model stays as it is. */
#include <stdlib.h>
#include <string.h>

#include "models/loss_sums.h"
#include "models/score.h"
#include "rows/prepare_block.h"
#include "solvers/batch_run.h"

#define PAGE_BYTES 4096

typedef struct {
    loss_sums sums;
    int64_t *rows; /* (batch_size,) those of the batch */
} gradient_job;

/* Writes zeros to a share of fresh memory, once a page: page faults in the order of addresses, by
 * all threads, cost less than those of scattered additions. */
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

static void touch_fresh(const fastfm_gradient_arrays *gradient, const fastfm_model *model, int n_threads)
{
    const int64_t real = (int64_t)real_size(model->real);
    touch_job job = {gradient, model->n_features * model->n_outputs * real, model->n_features * factors_of_feature(model) * real, 0};
    job.n_shares = 1 + (job.w_bytes + job.V_bytes) / (INT64_C(64) << 20);
    parallel_for(job.n_shares, touch_share, &job, n_threads);
}

static void start_batch(batch_run *run) { (void)run; }

static void finish_batch(batch_run *run)
{
    const gradient_job *job = (const gradient_job *)run->context;
    loss_sums sums = job->sums;
    loss_sums_add(&sums, run->begin, run->batch.n_rows, run->batch.losses,
                  run->batch.row_gradients);
}

/* BATCH_ROWS rows, or fewer where they have so many values that a batch would be cut. */
static int64_t *rows_in_order(int64_t n)
{
    int64_t *rows = (int64_t *)malloc(sizeof(int64_t) * (size_t)max_i64(n, 1));
    for (int64_t i = 0; rows && i < n; i++)
        rows[i] = i;
    return rows;
}

fastfm_status fastfm_gradient(const fastfm_csr *X, const fastfm_model *model,
                              const fastfm_loss *loss, const fastfm_targets *targets,
                              double weight_sum, double *total,
                              const fastfm_gradient_arrays *gradient, int num_threads,
                              int64_t *bad_row)
{
    const int64_t C = model->n_outputs;
    const int n_threads = parallel_threads(num_threads, score_work(X, model));
    const int64_t batch_size = min_i64(getenv("PR")?atoi(getenv("PR")):FASTFM_PIECE_ROWS, X->n_rows);
    const fastfm_solver solver = {.rule = FASTFM_SUM};
    double *memory = (double *)calloc((size_t)(2 * (1 + C)), sizeof(double));
    int64_t *rows = rows_in_order(X->n_rows);
    gradient_job job = {{C, memory, memory ? memory + 1 + C : NULL}, rows};
    batch_run run = {.rows = rows,
                     .n_rows = X->n_rows,
                     .batch_size = batch_size,
                     .start = start_batch,
                     .finish = finish_batch,
                     .context = &job};
    fastfm_status status = memory && rows ? FASTFM_OK : FASTFM_NO_MEMORY;
    if (status == FASTFM_OK && X->n_rows > 0)
        status = batch_open(&run.batch, X, model, loss, targets, &solver, batch_size, n_threads,
                            bad_row);
    if (status == FASTFM_OK && X->n_rows > 0) {
        job.sums.total[0] = *total;
        memcpy(job.sums.total + 1, gradient->w0, sizeof(double) * (size_t)C);
        run.batch.b.target = (fastfm_state){NULL, gradient->w, gradient->V};
        run.batch.weight_sum = weight_sum;
        if (gradient->is_fresh)
            touch_fresh(gradient, model, n_threads);
        status = batch_run_all(&run, n_threads);
        batch_close(&run.batch);
        *bad_row = run.bad_row;
        if (status == FASTFM_OK) {
            loss_sums_end_block(&job.sums);
            *total = job.sums.total[0];
            memcpy(gradient->w0, job.sums.total + 1, sizeof(double) * (size_t)C);
        }
    }
    free(rows);
    free(memory);
    return status == FASTFM_BAD_LABEL
               ? matrix_fault_or(status, X, model->n_features, num_threads, bad_row)
               : status;
}
