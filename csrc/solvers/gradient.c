/* fastfm_gradient: the objective and its gradient. It goes through the rows in batches as training does
 * (batch_run.h), with FASTFM_SUM as its rule: that adds a batch's gradients to the caller's arrays,
 * and the model stays as it is.
 *
 * FM. With one or two threads, each walks all rows of a batch in order when they have been scored, and adds
 * what belongs to the features of its share (feature_shares.h). With more threads a row block's
 * values are sorted by share when it is scored, so that no thread walks all rows. Both ways each
 * number of the gradient is a sum in row order, and neither the threads nor the rows of a batch
 * change its bits. A batch is as long as what is kept of its rows fits the caches. Rows are read in
 * place, unless columns repeat or rows are divided.
 *
 * FFM. The gradients of a row block are summed before they are added, so its batches must not depend on
 * anything but the rows: they have FFM_BATCH_ROWS rows.
 *
 * Losses and the gradient of w0 are added by the hook after_batch (loss_sums.h). */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "models/loss_sums.h"
#include "models/score.h"
#include "rows/prepare_block.h"
#include "solvers/batch_run.h"
#include "solvers/feature_shares.h"

#define PAGE_BYTES 4096
#define PIECE_BYTES (INT64_C(2) << 20) /* memory that a thread clears at a time */
#define FFM_BATCH_ROWS 2048            /* divides FASTFM_PIECE_ROWS */
#define CACHE_BYTES 262144             /* FM, one thread: V that the rows of a batch touch, about */
#define KEPT_BYTES 4194304             /* FM, two threads: what is kept of the rows of a batch */
#define SORTED_BYTES 8388608           /* FM, more threads: the same, and sorted values */
#define SHARES_A_THREAD 4 /* FM, more threads: so that they finish at about the same time */

/* Rows of a batch. One thread: as many as touch no more V than its own cache keeps until the gradients
 * need it again. Several threads read other V for the gradients than for the scores; so for them only
 * what is kept of the rows (losses, scores, s_f, and sorted values if there are any) has to fit the
 * cache that they share. */
static int64_t batch_rows(const fastfm_csr *X, const fastfm_model *model, int n_threads)
{
    const int64_t real = (int64_t)real_size(model->real), C = model->n_outputs;
    const int64_t row_values = count_values(X) / max_i64(X->n_rows, 1) + 1; /* on average */
    const int64_t kept_bytes = 8 * (1 + 3 * C) + C * model->n_factors * real;
    int64_t rows = KEPT_BYTES / kept_bytes;
    if (sorts_by_share(model, n_threads))
        rows = SORTED_BYTES / kept_bytes / (1 + row_values * FM_VALUE_BYTES / kept_bytes);
    if (n_threads == 1) /* divided twice: a product of values and bytes could overflow */
        rows = CACHE_BYTES / (feature_stride(model) * real) / row_values;
    if (model->fields)
        rows = FFM_BATCH_ROWS;
    return max_i64(1, min_i64(rows, X->n_rows));
}

/* Makes a piece of an array zeros that are cheap to add to. Stale memory is overwritten. Fresh memory is zero
 * already; a zero is written to each of its pages, because page faults in the order of addresses, by
 * all threads, cost less than those of scattered additions (docs/lab-notebook.md). */
static void clear_pages(void *memory, int64_t bytes, fastfm_content content, int64_t piece,
                        int64_t n_pieces)
{
    const int64_t n_pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    const int64_t begin = n_pages * piece / n_pieces * PAGE_BYTES;
    const int64_t end = min_i64(bytes, n_pages * (piece + 1) / n_pieces * PAGE_BYTES);
    if (content == FASTFM_STALE && begin < end)
        memset((char *)memory + begin, 0, (size_t)(end - begin));
    for (int64_t at = begin; content == FASTFM_FRESH && at < end; at += PAGE_BYTES)
        ((volatile char *)memory)[at] = 0;
}

/* One call of fastfm_gradient: the context of its hooks. */
typedef struct {
    loss_sums sums;
    const fastfm_gradient_arrays *gradient;
    int64_t w_bytes, V_bytes; /* of its arrays */
} gradient_job;

/* The phase before the first batch, if the arrays are fresh or stale: clears a piece of them. */
static void clear_piece(void *context, int64_t piece, int thread)
{
    const batch_run *run = (const batch_run *)context;
    const gradient_job *job = (const gradient_job *)run->context;
    (void)thread;
    clear_pages(job->gradient->w, job->w_bytes, job->gradient->content, piece, run->n_before_all);
    clear_pages(job->gradient->V, job->V_bytes, job->gradient->content, piece, run->n_before_all);
}

/* The hook: adds the losses of a batch, and the gradients of w0, in row order. */
static void sum_losses(batch_run *run)
{
    gradient_job *job = (gradient_job *)run->context;
    loss_sums_add(&job->sums, run->begin, run->batch.n_rows, run->batch.losses,
                  run->batch.row_gradients);
}

/* Whether a row has weight zero. */
static int has_absent_row(const fastfm_targets *targets, int64_t n)
{
    int64_t i = 0;
    while (targets->weight && i < n && targets->weight[i] != 0)
        i++;
    return targets->weight && i < n;
}

/* What divide_features needs and makes. */
typedef struct {
    feature_shares shares;
    int64_t sample[2 * FEATURE_SAMPLE];
} share_memory;

/* Divides the features into shares, opens the batches, runs them and closes them. w0 is not among the
 * updated arrays, because sum_losses adds its gradient. */
static fastfm_status add_gradient(batch_run *run, const fastfm_csr *X, const fastfm_model *model,
                                  const fastfm_loss *loss, const fastfm_targets *targets,
                                  double weight_sum, const fastfm_gradient_arrays *gradient,
                                  int n_threads, int64_t *bad_row)
{
    const fastfm_solver solver = {.rule = FASTFM_SUM};
    const int64_t n_shares =
        sorts_by_share(model, n_threads) ? SHARES_A_THREAD * n_threads : n_threads;
    share_memory *memory = (share_memory *)malloc(sizeof(share_memory));
    fastfm_status status = !memory ? FASTFM_NO_MEMORY
                                   : batch_open(&run->batch, X, model, loss, targets, &solver,
                                                run->batch_size, n_threads, bad_row);
    if (status != FASTFM_OK) {
        free(memory);
        return status;
    }
    if (!model->fields)
        divide_features(X, model->n_features, min_i64(n_shares, MAX_SHARES), memory->sample,
                        &memory->shares);
    run->batch.view.shares = &memory->shares;
    run->batch.view.updated = (fastfm_state){NULL, gradient->w, gradient->V};
    run->batch.weight_sum = weight_sum;
    status = batch_run_all(run);
    batch_close(&run->batch);
    free(memory);
    *bad_row = run->bad_row;
    return status;
}

/* *total and w0 are summed in memory of the call, so that a fault leaves them as they were. */
fastfm_status fastfm_gradient(const fastfm_csr *X, const fastfm_model *model,
                              const fastfm_loss *loss, const fastfm_targets *targets,
                              double weight_sum, double *total,
                              const fastfm_gradient_arrays *gradient, int num_threads,
                              int64_t *bad_row)
{
    const int64_t C = model->n_outputs;
    const int64_t feature_bytes = model->n_features * (int64_t)real_size(model->real);
    const int n_threads = parallel_threads(num_threads, score_work(X, model));
    double *memory = (double *)calloc((size_t)(2 * (1 + C)), sizeof(double));
    gradient_job job = {.sums = {C, memory, memory ? memory + 1 + C : NULL},
                        .gradient = gradient,
                        .w_bytes = C * feature_bytes,
                        .V_bytes = feature_stride(model) * feature_bytes};
    batch_run run = {.n_rows = X->n_rows,
                     .batch_size = batch_rows(X, model, n_threads),
                     .before_all = clear_piece,
                     .after_batch = sum_losses,
                     .context = &job};
    fastfm_status status = memory ? FASTFM_OK : FASTFM_NO_MEMORY;
    if (gradient->content != FASTFM_KEPT)
        run.n_before_all = 1 + (job.w_bytes + job.V_bytes) / PIECE_BYTES;
    /* Batches leave out rows of weight zero: their columns are checked here, as fastfm_objective
     * checks them. */
    if (status == FASTFM_OK && has_absent_row(targets, X->n_rows))
        status = fastfm_check(X, model->n_features, NULL, NULL, num_threads, bad_row);
    if (status == FASTFM_OK && X->n_rows > 0) {
        job.sums.total[0] = *total;
        memcpy(job.sums.total + 1, gradient->w0, sizeof(double) * (size_t)C);
        status =
            add_gradient(&run, X, model, loss, targets, weight_sum, gradient, n_threads, bad_row);
        if (status == FASTFM_OK) {
            loss_sums_end_block(&job.sums);
            *total = job.sums.total[0];
            memcpy(gradient->w0, job.sums.total + 1, sizeof(double) * (size_t)C);
        }
    }
    free(memory);
    return status == FASTFM_BAD_LABEL
               ? matrix_fault_or(status, X, model->n_features, num_threads, bad_row)
               : status;
}
