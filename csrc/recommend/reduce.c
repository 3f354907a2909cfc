/* fastfm_reduce: rows become sums, once for candidates that are scored again and again. Threads share
 * blocks of rows; a row's sums depend on nothing but the row and the model. */
#include "recommend/reduce.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "rows/blocks.h"

#define BLOCK_ROWS 256 /* a multiple of FASTFM_PANEL, so that no two threads write one panel */

/* One call of fastfm_reduce. */
typedef struct {
    const fastfm_csr *X;
    reduction reduced;
    char *sums, *linear; /* the caller's; linear may be NULL */
    char *memory;        /* (n_threads, thread_bytes) */
    int64_t thread_bytes;
} reduce_job;

/* A thread's scratch: sums of a row and of a run, its linear part, the fields that it has. */
typedef struct {
    char *row, *run, *linear;
    uint8_t *has_field;
} reduce_scratch;

static reduce_scratch carve(arena *memory, const reduction *reduced)
{
    const int64_t size = (int64_t)real_size(reduced->model->real);
    reduce_scratch scratch;
    scratch.row = (char *)arena_alloc(memory, reduced->n_terms * size);
    scratch.run = (char *)arena_alloc(memory, reduced->n_terms * size);
    scratch.linear = (char *)arena_alloc(memory, size);
    scratch.has_field = (uint8_t *)arena_alloc(memory, fields_of(reduced->model));
    return scratch;
}

int64_t fastfm_n_terms(const fastfm_candidates *candidates)
{
    const fastfm_model *model = candidates->model;
    return model->n_factors * (model->fields ? model->n_fields * candidates->n_slots : 1);
}

reduction reduction_of(const fastfm_candidates *candidates, int is_context)
{
    const fastfm_model *model = candidates->model;
    const int is_ffm = model->fields != NULL;
    reduction reduced = {.model = model,
                         .is_context = is_context,
                         .n_slots = is_ffm ? candidates->n_slots : 1,
                         .n_targets = 1,
                         .step = 1,
                         .slots = is_ffm ? candidates->slots : NULL,
                         .fields = is_ffm ? candidates->fields : NULL,
                         .n_terms = fastfm_n_terms(candidates)};
    if (is_ffm && is_context)
        reduced.n_targets = candidates->n_slots;
    if (is_ffm && !is_context) {
        reduced.n_targets = model->n_fields;
        reduced.step = candidates->n_slots;
    }
    return reduced;
}

void add_bias(const fastfm_model *model, void *linear, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (model->real == FASTFM_F32)
            ((float *)linear)[i] += *(const float *)model->w0;
        else
            ((double *)linear)[i] += *(const double *)model->w0;
}

/* Copies the sums of a row to its lane of a panel. */
static void to_panel(const reduce_job *job, const void *row, int64_t i)
{
    const int64_t T = job->reduced.n_terms, first = i / FASTFM_PANEL * T * FASTFM_PANEL;
    const int64_t lane = first + i % FASTFM_PANEL;
    for (int64_t f = 0; f < T; f++)
        if (job->reduced.model->real == FASTFM_F32)
            ((float *)job->sums)[lane + f * FASTFM_PANEL] = ((const float *)row)[f];
        else
            ((double *)job->sums)[lane + f * FASTFM_PANEL] = ((const double *)row)[f];
}

static void reduce_block(void *context, int64_t block, int thread)
{
    const reduce_job *job = (const reduce_job *)context;
    const reduction *reduced = &job->reduced;
    const fastfm_model *model = reduced->model;
    const int64_t size = (int64_t)real_size(model->real), row_bytes = reduced->n_terms * size;
    const int64_t end = min_i64((block + 1) * BLOCK_ROWS, job->X->n_rows);
    arena memory = {job->memory + thread * job->thread_bytes, 0};
    const reduce_scratch scratch = carve(&memory, reduced);
    for (int64_t i = block * BLOCK_ROWS; i < end; i++) {
        char *row = reduced->is_context ? job->sums + i * row_bytes : scratch.row;
        if (row_bytes > 0)
            memset(row, 0, (size_t)row_bytes);
        KERNEL_OF(kernels()->reduce_row, model, job->X)
        (job->X, reduced, i, row, scratch.linear, scratch.has_field, scratch.run);
        if (!reduced->is_context)
            to_panel(job, row, i);
        if (job->linear)
            memcpy(job->linear + i * size, scratch.linear, (size_t)size);
    }
}

fastfm_status fastfm_reduce(const fastfm_csr *X, const fastfm_candidates *candidates,
                            int is_context, void *sums, void *linear, int num_threads)
{
    reduce_job job = {X, reduction_of(candidates, is_context), (char *)sums, (char *)linear, NULL,
                      0};
    const double per_value = (double)(job.reduced.n_targets * candidates->model->n_factors);
    const int n_threads = parallel_threads(num_threads, per_value * (double)count_values(X));
    arena measure = {NULL, 0};
    void *allocated;
    if (X->n_rows == 0)
        return FASTFM_OK;
    carve(&measure, &job.reduced);
    job.thread_bytes = measure.used;
    allocated = malloc((size_t)(n_threads * measure.used + CACHE_LINE));
    if (!allocated)
        return FASTFM_NO_MEMORY;
    job.memory = align_to_line(allocated);
    parallel_for((X->n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS, reduce_block, &job, n_threads);
    if (linear && is_context)
        add_bias(candidates->model, linear, X->n_rows);
    free(allocated);
    return FASTFM_OK;
}
