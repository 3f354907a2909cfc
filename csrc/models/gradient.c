/* fastfm_objective: the data term of the objective, and its gradient without atomics.
 *
 * Rows are taken in chunks. First the threads share the rows of a chunk: each row is checked and
 * scored, and its loss gradient is kept (for FM also s_f). Then the threads share the features:
 * each walks all rows of the chunk and adds what belongs to its own features. So every sum is made
 * in the order of rows, whatever the number of threads and the size of chunks. Chunks stay in the
 * caches: one thread's in its own, those of several in theirs together.
 *
 * Fresh pages of the gradient are written to while the first chunk is scored: docs/design.md. */
#include <stdlib.h>
#include <string.h>

#include "losses/loss.h"
#include "base/parallel.h"
#include "rows/workspace.h"

#define CACHE_BYTES 262144              /* of V, that the rows of one thread's chunk touch */
#define KEPT_BYTES 4194304              /* by the rows of several threads' chunk */
#define FRESH_BYTES (INT64_C(64) << 20) /* a thread writes to at a time */
#define BLOCK_VALUES 16384              /* as in score.c */
#define SLOT_SAMPLE 4096                /* columns, to cut the features into shares */
#define COLD_COST 4                     /* of a column that the sample holds once */

typedef struct {
    const fastfm_csr *X;
    const fastfm_model *model;
    const fastfm_loss *loss;
    const fastfm_targets *targets;
    const fastfm_gradient *gradient; /* or NULL */
    double weight_sum;
    const workspace *work;
    int64_t w_bytes, V_bytes;           /* of a feature */
    int64_t n_fresh;                    /* blocks of fresh pages, before those of rows */
    int64_t chunk, chunk_end, n_blocks; /* the rows of the present chunk, shared out in blocks */
    int n_threads;
    int64_t max_chunk, sums_stride;
    /* For the rows of a chunk: of the model's type, then in double. */
    char *scores, *dscores, *sums;
    double *losses, *row_gradients;
    double *block_totals, *totals; /* loss, w0's gradient: of the running block, and so far */
    int64_t *sample;               /* of slots, sorted */
    int64_t n_sample;
    enum { BEFORE_CHUNK, SCORING, ADDING } phase;
    fastfm_status status;
    int64_t *bad_row;
} objective_job;

/* Losses of rows [begin, end) of the chunk, from their scores. */
static void find_losses(const objective_job *job, int thread, int64_t begin, int64_t end)
{
    const int64_t C = job->model->n_outputs;
    for (int64_t i = begin; i < end; i++) {
        const int64_t place = i - job->chunk;
        const fastfm_status status = loss_row_weighted(
            job->loss, job->targets, i, job->scores, job->model->real, place, C, job->weight_sum,
            &job->losses[place], job->row_gradients + place * C, job->dscores);
        if (status != FASTFM_OK) {
            workspace_report(job->work, thread, status, i);
            return;
        }
    }
}

static void score_block(void *context, int64_t block, int thread)
{
    const objective_job *job = (const objective_job *)context;
    const fastfm_model *model = job->model;
    const int64_t real = (int64_t)real_size(model->real);
    const int64_t begin = parallel_rows(job->X, job->chunk, job->chunk_end, block, job->n_blocks);
    const int64_t end = parallel_rows(job->X, job->chunk, job->chunk_end, block + 1, job->n_blocks);
    const score_kernel score = score_kernel_of(model, job->X);
    if (workspace_check(job->work, thread, job->X, model->n_features, begin, end) != FASTFM_OK)
        return;
    score(job->X, model, begin, end, job->scores + (begin - job->chunk) * model->n_outputs * real,
          job->sums ? job->sums + (begin - job->chunk) * job->sums_stride * real : NULL,
          job->work->max_row, workspace_scratch(job->work, thread));
    find_losses(job, thread, begin, end);
}

static void touch_or_score_block(void *context, int64_t block, int thread)
{
    const objective_job *job = (const objective_job *)context;
    const fastfm_gradient *gradient = job->gradient;
    if (block < job->n_fresh) {
        touch_pages((char *)gradient->w, gradient->n_slots * job->w_bytes, block, job->n_fresh);
        touch_pages((char *)gradient->V, gradient->n_slots * job->V_bytes, block, job->n_fresh);
    } else {
        score_block(context, block - job->n_fresh, thread);
    }
}

static void add_block(const objective_job *job)
{
    for (int64_t c = 0; c <= job->model->n_outputs; c++) {
        job->totals[c] += job->block_totals[c];
        job->block_totals[c] = 0;
    }
}

/* Sums of loss and of w0's gradient: in blocks of FASTFM_ROW_BLOCK rows, then over the blocks. */
static void add_rows(const objective_job *job, int64_t begin, int64_t end)
{
    const int64_t C = job->model->n_outputs;
    for (int64_t i = begin; i < end; i++) {
        const double weight = weight_of(job->targets, i);
        if (i % FASTFM_ROW_BLOCK == 0)
            add_block(job);
        if (weight == 0)
            continue;
        job->block_totals[0] += weight * job->losses[i - begin];
        for (int64_t c = 0; c < C; c++)
            job->block_totals[1 + c] += job->row_gradients[(i - begin) * C + c];
    }
}

/* A slot that the sample holds once is likely to be out of the cache when its turn comes. */
static int64_t sample_cost(const objective_job *job, int64_t s)
{
    const int64_t *sample = job->sample;
    const int seen = (s > 0 && sample[s] == sample[s - 1]) ||
                     (s + 1 < job->n_sample && sample[s] == sample[s + 1]);
    return seen ? 1 : COLD_COST;
}

/* Where a thread's share begins, by the sample: any split gives the same bits. */
static int64_t slot_edge(const objective_job *job, int64_t part)
{
    int64_t total = 0, reached = 0;
    if (part == 0)
        return 0;
    for (int64_t s = 0; s < job->n_sample; s++)
        total += sample_cost(job, s);
    for (int64_t s = 0; s < job->n_sample && part < job->n_threads; s++) {
        reached += sample_cost(job, s);
        if (reached * job->n_threads >= total * part)
            return job->sample[s];
    }
    return job->gradient->n_slots;
}

static void add_share(void *context, int64_t part, int thread)
{
    const objective_job *job = (const objective_job *)context;
    const fastfm_model *model = job->model;
    const gradient_kernel add_gradient = model->fields
                                             ? KERNEL_OF(kernels()->ffm_gradient, model, job->X)
                                             : KERNEL_OF(kernels()->fm_gradient, model, job->X);
    add_gradient(job->X, model, job->chunk, job->chunk_end, job->dscores, job->sums,
                 job->work->max_row, job->gradient, slot_edge(job, part), slot_edge(job, part + 1),
                 workspace_scratch(job->work, thread));
}

static int start_chunk(objective_job *job, parallel_block *body, int64_t *n_blocks)
{
    const fastfm_csr *X = job->X;
    if (job->chunk == X->n_rows)
        return 0;
    job->chunk_end = min_i64(job->chunk + job->max_chunk, X->n_rows);
    job->n_blocks =
        1 + (index_at(X->indptr, X->index_type, job->chunk_end) -
             index_at(X->indptr, X->index_type, job->chunk) + job->chunk_end - job->chunk) /
                BLOCK_VALUES;
    job->phase = SCORING;
    *body = touch_or_score_block;
    *n_blocks = job->n_fresh + job->n_blocks;
    return 1;
}

/* Score a chunk's rows, add their gradients, go on with the next chunk. */
static int next_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    objective_job *job = (objective_job *)context;
    if (job->phase == SCORING) {
        job->status = workspace_fault(job->work, job->n_threads, job->bad_row);
        if (job->status != FASTFM_OK)
            return 0;
        job->phase = ADDING;
        if (job->gradient) {
            *body = add_share;
            *n_blocks = job->n_threads;
            return 1;
        }
    }
    if (job->phase == ADDING) {
        add_rows(job, job->chunk, job->chunk_end);
        job->chunk = job->chunk_end;
        job->n_fresh = 0;
    }
    return start_chunk(job, body, n_blocks);
}

static int compare_i64(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sample_slots(objective_job *job)
{
    const fastfm_csr *X = job->X;
    const void *slots = job->gradient->slots ? job->gradient->slots : X->indices;
    const int64_t first = index_at(X->indptr, X->index_type, 0);
    const int64_t n = index_at(X->indptr, X->index_type, X->n_rows) - first;
    job->n_sample = min_i64(n, SLOT_SAMPLE);
    for (int64_t s = 0; s < job->n_sample; s++) {
        const int64_t p = first + (int64_t)((double)n * ((double)s + 0.5) / (double)job->n_sample);
        /* Not checked yet: kept inside, so that every share is. */
        job->sample[s] =
            max_i64(0, min_i64(index_at(slots, X->index_type, p), job->gradient->n_slots));
    }
    qsort(job->sample, (size_t)job->n_sample, sizeof *job->sample, compare_i64);
}

/* Sizes the chunk and lays out the arrays of a chunk in one allocation. */
static void *allocate_chunk(objective_job *job)
{
    const fastfm_csr *X = job->X;
    const fastfm_model *model = job->model;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    const int64_t row_values = X->nnz / max_i64(X->n_rows, 1) + 1; /* on average */
    int64_t rows, row_bytes;
    char *at, *memory;
    job->sums_stride = job->gradient && !model->fields ? C * model->n_factors : 0;
    row_bytes = 8 * (1 + 3 * C) + job->sums_stride * real;
    /* Divided twice: the product of values and bytes could overflow, to 0. */
    rows = job->n_threads == 1 ? CACHE_BYTES / job->V_bytes / row_values : KEPT_BYTES / row_bytes;
    job->max_chunk = rows = max_i64(1, min_i64(rows, X->n_rows));
    memory = at = (char *)malloc((size_t)(rows * row_bytes + 8 * (2 * (1 + C) + SLOT_SAMPLE)));
    if (!memory)
        return NULL;
    job->losses = (double *)at, at += 8 * rows;
    job->row_gradients = (double *)at, at += 8 * rows * C;
    job->scores = at, at += 8 * rows * C;
    job->dscores = at, at += 8 * rows * C;
    job->block_totals = (double *)at, at += 8 * (1 + C);
    job->totals = (double *)at, at += 8 * (1 + C);
    job->sample = (int64_t *)at, at += 8 * SLOT_SAMPLE;
    job->sums = job->sums_stride ? at : NULL;
    memset(job->block_totals, 0, sizeof(double) * 2 * (size_t)(1 + C));
    return memory;
}

fastfm_status fastfm_objective(const fastfm_csr *X, const fastfm_model *model,
                               const fastfm_loss *loss, const fastfm_targets *targets,
                               double weight_sum, double *total, const fastfm_gradient *gradient,
                               int num_threads, int64_t *bad_row)
{
    workspace work;
    void *memory;
    objective_job job = {.X = X,
                         .model = model,
                         .loss = loss,
                         .targets = targets,
                         .gradient = gradient,
                         .weight_sum = weight_sum,
                         .work = &work};
    fastfm_status status;
    if (X->n_rows == 0)
        return FASTFM_OK;
    job.w_bytes = model->n_outputs * (int64_t)real_size(model->real);
    job.V_bytes = feature_stride(model) * (int64_t)real_size(model->real);
    job.n_threads = parallel_threads(num_threads, score_work(X, model));
    status = workspace_open(&work, X, model, job.n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    memory = allocate_chunk(&job);
    if (!memory) {
        workspace_close(&work);
        return FASTFM_NO_MEMORY;
    }
    job.totals[0] = *total;
    if (gradient) {
        if (gradient->is_fresh)
            job.n_fresh = 1 + gradient->n_slots * (job.w_bytes + job.V_bytes) / FRESH_BYTES;
        memcpy(job.totals + 1, gradient->w0, sizeof(double) * (size_t)model->n_outputs);
        if (job.n_threads > 1)
            sample_slots(&job);
    }
    job.bad_row = bad_row;
    parallel_phases(next_phase, &job, job.n_threads);
    status = job.status;
    if (status == FASTFM_OK) {
        add_block(&job);
        *total = job.totals[0];
        if (gradient)
            memcpy(gradient->w0, job.totals + 1, sizeof(double) * (size_t)model->n_outputs);
    }
    free(memory);
    workspace_close(&work);
    /* Always a fault of the matrix first, and a repeat (which can be mended) last. */
    if (status == FASTFM_REPEATED_COLUMN || status == FASTFM_BAD_LABEL) {
        int64_t row;
        const fastfm_status fault = fastfm_check(X, model->n_features, NULL, num_threads, &row);
        if (fault != FASTFM_OK) {
            *bad_row = row;
            return fault;
        }
    }
    return status;
}
