/* fastfm_objective: the data term of the objective, and its gradient without atomics.
 *
 * Rows are taken in chunks that fit the cache. First the threads share the rows of a chunk: each row is
 * checked and scored, and its loss gradient and sums (s_f, or S) are kept. Then the threads share the
 * features: each walks all rows of the chunk and adds what belongs to its own features. So every sum is made in
 * the order of rows, whatever the number of threads, and memory does not grow with the data. */
#include <stdlib.h>
#include <string.h>

#include "loss.h"
#include "parallel.h"
#include "workspace.h"

/* Bytes of parameters that the rows of a chunk may touch, and of sums that they may keep. */
#define CHUNK_BYTES 524288
#define CHUNK_ROWS_MAX 4096
#define SLOT_SAMPLE 1024

typedef struct {
    const fastfm_csr *X;
    const fastfm_model *model;
    const fastfm_loss *loss;
    const fastfm_targets *targets;
    const fastfm_gradient *gradient; /* or NULL */
    double weight_sum;
    const workspace *work;
    int64_t chunk_rows, sums_stride;
    /* For the rows of a chunk: of the model's type, then in double. */
    void *scores, *dscores, *sums;
    double *losses, *row_gradients;
    double *block_totals, *totals; /* loss, then w0's gradient: of the running block of rows, and so far */
    int64_t *sample;               /* of slots, sorted */
    int64_t n_sample;
} objective_job;

static void *at_row(void *array, fastfm_type real, int64_t offset)
{
    return (char *)array + offset * (int64_t)real_size(real);
}

/* Scores and losses of rows [begin, end), which lie in the chunk that starts at row `chunk`. */
static void score_rows(const objective_job *job, int thread, int64_t chunk, int64_t begin, int64_t end)
{
    const fastfm_model *model = job->model;
    const int64_t C = model->n_outputs, place = begin - chunk;
    const fastfm_type real = model->real;
    const score_kernel score = model->fields ? KERNEL_OF(kernels()->ffm_score, model, job->X)
                                             : KERNEL_OF(kernels()->fm_score, model, job->X);
    void *sums = job->gradient ? at_row(job->sums, real, place * job->sums_stride) : NULL;
    if (workspace_check(job->work, thread, job->X, model->n_features, begin, end) != FASTFM_OK)
        return;
    score(job->X, model, begin, end, at_row(job->scores, real, place * C), sums, job->sums_stride,
          job->work->max_row, workspace_scratch(job->work, thread));
    for (int64_t i = begin; i < end; i++) {
        const double weight = job->targets->weight ? job->targets->weight[i] : 1;
        double *gradient = job->row_gradients + (i - chunk) * C;
        const fastfm_status status =
            loss_row(job->loss, job->targets->y, job->targets->y_type, i, job->scores, real, i - chunk, C,
                     &job->losses[i - chunk], gradient);
        if (status != FASTFM_OK) {
            workspace_report(job->work, thread, status, i);
            return;
        }
        for (int64_t c = 0; c < C; c++) {
            gradient[c] = weight == 0 ? 0 : gradient[c] * weight / job->weight_sum;
            set_real(job->dscores, real, (i - chunk) * C + c, gradient[c]);
        }
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
        const double weight = job->targets->weight ? job->targets->weight[i] : 1;
        if (i % FASTFM_ROW_BLOCK == 0)
            add_block(job);
        if (weight == 0)
            continue;
        job->block_totals[0] += weight * job->losses[i - begin];
        for (int64_t c = 0; c < C; c++)
            job->block_totals[1 + c] += job->row_gradients[(i - begin) * C + c];
    }
}

/* The first slot of a thread's share, from a sample: any split gives the same bits. */
static int64_t slot_edge(const objective_job *job, int part, int n_parts)
{
    if (part == 0 || job->n_sample == 0)
        return part == 0 ? 0 : job->gradient->n_slots;
    if (part == n_parts)
        return job->gradient->n_slots;
    return job->sample[job->n_sample * part / n_parts];
}

static void objective_member(void *context, int thread, int n_threads)
{
    const objective_job *job = (const objective_job *)context;
    const fastfm_model *model = job->model;
    const gradient_kernel add_gradient = model->fields ? KERNEL_OF(kernels()->ffm_gradient, model, job->X)
                                                       : KERNEL_OF(kernels()->fm_gradient, model, job->X);
    for (int64_t chunk = 0; chunk < job->X->n_rows; chunk += job->chunk_rows) {
        const int64_t end = min_i64(chunk + job->chunk_rows, job->X->n_rows);
        int64_t bad_row;
        score_rows(job, thread, chunk, parallel_rows(job->X, chunk, end, thread, n_threads),
                   parallel_rows(job->X, chunk, end, thread + 1, n_threads));
        parallel_barrier();
        if (workspace_fault(job->work, n_threads, &bad_row) != FASTFM_OK)
            return; /* all threads see the same faults here */
        if (thread == 0)
            add_rows(job, chunk, end);
        if (job->gradient)
            add_gradient(job->X, model, chunk, end, job->dscores, job->sums, job->sums_stride,
                         job->work->max_row, job->gradient, slot_edge(job, thread, n_threads),
                         slot_edge(job, thread + 1, n_threads), workspace_scratch(job->work, thread));
        parallel_barrier();
    }
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
        job->sample[s] = max_i64(0, min_i64(index_at(slots, X->index_type, p), job->gradient->n_slots));
    }
    qsort(job->sample, (size_t)job->n_sample, sizeof *job->sample, compare_i64);
}

/* Sizes the chunk and lays out the arrays of a chunk in one allocation. */
static void *allocate_chunk(objective_job *job)
{
    const fastfm_csr *X = job->X;
    const fastfm_model *model = job->model;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    const int64_t groups = min_i64(model->n_fields, job->work->max_row);
    const int64_t per_feature = C * model->n_factors * (model->fields ? model->n_fields : 1) * real;
    const int64_t row_bytes = (X->nnz / max_i64(X->n_rows, 1) + 1) * per_feature;
    int64_t rows;
    char *memory, *at;
    job->sums_stride = C * model->n_factors * (model->fields ? groups * groups : 1);
    rows = job->gradient ? CHUNK_BYTES / max_i64(row_bytes, job->sums_stride * real) : CHUNK_ROWS_MAX;
    rows = max_i64(1, min_i64(min_i64(rows, CHUNK_ROWS_MAX), X->n_rows));
    job->chunk_rows = rows;
    if (!job->gradient)
        job->sums_stride = 0;
    at = memory = (char *)malloc((size_t)(8 * (rows * (1 + 3 * C) + 2 * (1 + C) + SLOT_SAMPLE) +
                                          rows * job->sums_stride * real));
    if (!memory)
        return NULL;
    job->losses = (double *)at, at += 8 * rows;
    job->row_gradients = (double *)at, at += 8 * rows * C;
    job->scores = at, at += 8 * rows * C;
    job->dscores = at, at += 8 * rows * C;
    job->block_totals = (double *)at, at += 8 * (1 + C);
    job->totals = (double *)at, at += 8 * (1 + C);
    job->sample = (int64_t *)at, at += 8 * SLOT_SAMPLE;
    job->sums = at;
    memset(job->block_totals, 0, sizeof(double) * 2 * (size_t)(1 + C));
    return memory;
}

fastfm_status fastfm_objective(const fastfm_csr *X, const fastfm_model *model, const fastfm_loss *loss,
                               const fastfm_targets *targets, double weight_sum, double *total,
                               const fastfm_gradient *gradient, int num_threads, int64_t *bad_row)
{
    workspace work;
    objective_job job = {0};
    void *memory;
    const double per_value = (double)(model->n_factors * model->n_outputs) * (model->fields ? 16.0 : 1.0);
    const int n_threads = parallel_threads(num_threads, (double)X->nnz * per_value);
    fastfm_status status;
    if (X->n_rows == 0)
        return FASTFM_OK;
    status = workspace_open(&work, X, model, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    job.X = X, job.model = model, job.loss = loss, job.targets = targets, job.gradient = gradient;
    job.weight_sum = weight_sum, job.work = &work;
    memory = allocate_chunk(&job);
    if (!memory) {
        workspace_close(&work);
        return FASTFM_NO_MEMORY;
    }
    if (gradient && n_threads > 1)
        sample_slots(&job);
    parallel_team(objective_member, &job, n_threads);
    status = workspace_fault(&work, n_threads, bad_row);
    add_block(&job);
    *total += job.totals[0] / weight_sum;
    for (int64_t c = 0; gradient && c < model->n_outputs; c++)
        gradient->w0[c] += job.totals[1 + c];
    free(memory);
    workspace_close(&work);
    return status;
}

/* A part of an array whose squares are summed; a fixed number, so that the order of sums is fixed. */
#define L2_PART 65536

typedef struct {
    const void *values;
    void *grad;
    fastfm_type real;
    int64_t n;
    double scale;
    double *parts;
} l2_job;

#define L2_ROWS(real_type)                                                                                 \
    do {                                                                                                   \
        const real_type *values = (const real_type *)job->values;                                         \
        real_type *grad = (real_type *)job->grad;                                                          \
        const real_type scale = (real_type)job->scale;                                                     \
        for (int64_t i = begin; i < end; i++) {                                                            \
            lanes[i & 7] += (double)values[i] * (double)values[i];                                         \
            if (grad)                                                                                      \
                grad[i] += scale * values[i];                                                              \
        }                                                                                                  \
    } while (0)

static void l2_part(void *context, int64_t part, int thread)
{
    const l2_job *job = (const l2_job *)context;
    const int64_t begin = part * L2_PART, end = min_i64(begin + L2_PART, job->n);
    double lanes[8] = {0};
    (void)thread;
    if (job->real == FASTFM_F32)
        L2_ROWS(float);
    else
        L2_ROWS(double);
    job->parts[part] = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

fastfm_status fastfm_l2(const void *values, fastfm_type real, int64_t n, double scale, void *grad,
                        int num_threads, double *sum_of_squares)
{
    const int64_t n_parts = (n + L2_PART - 1) / L2_PART;
    double *parts = (double *)malloc(sizeof(double) * (size_t)max_i64(n_parts, 1));
    l2_job job = {values, grad, real, n, scale, parts};
    *sum_of_squares = 0;
    if (!parts)
        return FASTFM_NO_MEMORY;
    parallel_for(n_parts, l2_part, &job, parallel_threads(num_threads, (double)n));
    for (int64_t part = 0; part < n_parts; part++)
        *sum_of_squares += parts[part];
    free(parts);
    return FASTFM_OK;
}
