#include "batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "normalize.h"

#define BLOCK_VALUES 8192
#define PART_ENTRIES 1024
#define MAX_PART_BITS 8
#define ROWS_AHEAD 6 /* that are prefetched while rows are copied */
/* FFM gradients of a batch, in bytes, and values: larger batches are cut. */
#define MAX_GRADIENT_BYTES (INT64_C(1) << 26)
#define MAX_VALUES (INT64_C(1) << 24)

/* Entries [first, first + n) of an array, or the beginning of them. Inlined, like all that only
 * prefetches: GCC finds a function of that kind to have no effect, and leaves out calls of it. */
FORCE_INLINE void prefetch_entries(const void *array, int64_t first, int64_t n, int64_t size)
{
    prefetch_row(array, first, size, min_i64(n * size, 1024), 0, 0);
}

static int64_t row_length(const fastfm_csr *X, int64_t i)
{
    return index_at(X->indptr, X->index_type, i + 1) - index_at(X->indptr, X->index_type, i);
}

/* Numbers in the FFM gradients of a row of z values, at most; so many that no memory holds them are
 * not counted exactly. */
static int64_t row_gradients(const fastfm_model *model, int64_t z)
{
    const double numbers = (double)z * (double)min_i64(z, model->n_fields) *
                           (double)(model->n_factors * model->n_outputs);
    return model->fields ? (int64_t)fmin(numbers, 1e15) : 0;
}

/* Memory that is handed out in whole cache lines; with start NULL it is only measured. */
typedef struct {
    char *start;
    int64_t used;
} arena;

static void *take(arena *memory, int64_t bytes)
{
    void *taken = memory->start ? memory->start + memory->used : NULL;
    memory->used += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return taken;
}

/* The first whole cache line. */
static char *first_line(void *memory)
{
    return (char *)memory + (CACHE_LINE - (uintptr_t)memory % CACHE_LINE) % CACHE_LINE;
}

static void lay_out(training_batch *batch, arena *memory)
{
    const fastfm_model *model = batch->b.model;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    const int64_t index = (int64_t)index_size(batch->X->index_type);
    const int64_t rows = batch->max_rows, values = batch->max_values;
    const int64_t max_blocks = 1 + (values + rows) / BLOCK_VALUES;
    batch->b.X.indptr = take(memory, (rows + 1) * index);
    batch->b.X.indices = take(memory, values * index);
    batch->b.X.data = take(memory, values * (int64_t)real_size(batch->b.X.data_type));
    batch->b.X.linear_scale =
        batch->b.solver->normalize == FASTFM_XLEARN ? (double *)take(memory, rows * 8) : NULL;
    batch->b.scores = (char *)take(memory, rows * C * real);
    batch->b.dscores = (char *)take(memory, rows * C * real);
    batch->losses = (double *)take(memory, rows * 8);
    batch->row_gradients = (double *)take(memory, rows * C * 8);
    batch->b.entries = (batch_entry *)take(memory, values * (int64_t)sizeof(batch_entry));
    batch->b.part_begin = (int64_t *)take(memory, max_blocks * ((1 << MAX_PART_BITS) + 1) * 8);
    batch->block_begin = (int64_t *)take(memory, (max_blocks + 1) * 8);
    batch->scratch =
        (learn_scratch *)take(memory, batch->n_threads * (int64_t)sizeof(learn_scratch));
    if (model->fields) {
        batch->b.gradients = (char *)take(memory, batch->max_gradients * real);
        batch->b.gradient_begin = (int64_t *)take(memory, rows * 8);
        batch->b.n_groups = (int64_t *)take(memory, rows * 8);
        batch->b.groups = (int32_t *)take(memory, values * 4);
        batch->b.runs = (int32_t *)take(memory, values * 4);
    } else {
        batch->b.sums = (char *)take(memory, rows * C * model->n_factors * real);
    }
}

fastfm_status batch_open(training_batch *batch, const fastfm_csr *X, const fastfm_model *model,
                         const fastfm_solver *solver, int64_t n_rows, int n_threads,
                         int64_t *bad_row)
{
    const fastfm_status status = workspace_open(&batch->work, X, model, n_threads, bad_row);
    const int64_t longest = batch->work.max_row, real = (int64_t)real_size(model->real);
    arena memory = {NULL, 0};
    batch->memory = batch->scratch_memory = NULL;
    if (status != FASTFM_OK)
        return status;
    batch->X = X;
    batch->n_threads = n_threads;
    batch->b.model = model;
    batch->b.solver = solver;
    batch->b.max_row = longest;
    batch->b.X.index_type = X->index_type;
    batch->b.X.data_type =
        solver->normalize == FASTFM_AS_IS || model->real == FASTFM_F32 ? X->data_type : FASTFM_F64;
    batch->max_rows = n_rows;
    batch->max_values = max_i64(longest, min_i64(n_rows * longest, MAX_VALUES));
    batch->max_gradients =
        max_i64(row_gradients(model, longest),
                (int64_t)fmin((double)n_rows * (double)row_gradients(model, longest),
                              (double)(MAX_GRADIENT_BYTES / real)));
    lay_out(batch, &memory);
    batch->memory = malloc((size_t)(memory.used + CACHE_LINE));
    if (!batch->memory) {
        workspace_close(&batch->work);
        return FASTFM_NO_MEMORY;
    }
    memory = (arena){first_line(batch->memory), 0};
    lay_out(batch, &memory);
    memset(batch->scratch, 0, sizeof(learn_scratch) * (size_t)n_threads);
    return FASTFM_OK;
}

void batch_close(training_batch *batch)
{
    workspace_close(&batch->work);
    free(batch->memory);
    free(batch->scratch_memory);
}

/* Blocks of rows with about BLOCK_VALUES values, and so many parts that one stays in the cache. */
static void cut(training_batch *batch)
{
    const int64_t nnz = batch->b.X.nnz;
    batch->b.n_blocks = 1 + (nnz + batch->n_rows) / BLOCK_VALUES;
    for (batch->b.part_bits = 0; batch->b.part_bits < MAX_PART_BITS;)
        if (nnz >> ++batch->b.part_bits < PART_ENTRIES)
            break;
    batch->b.n_parts = INT64_C(1) << batch->b.part_bits;
    for (int64_t block = 0; block <= batch->b.n_blocks; block++)
        batch->block_begin[block] =
            parallel_rows(&batch->b.X, 0, batch->n_rows, block, batch->b.n_blocks);
}

fastfm_status batch_take(training_batch *batch, const int64_t *rows, int64_t n, int64_t *bad_row)
{
    const fastfm_csr *X = batch->X;
    const double *weight = batch->targets->weight;
    void *indptr = (void *)(uintptr_t)batch->b.X.indptr;
    int64_t nnz = 0, gradients = 0, n_weighted = 0, taken = 0;
    for (; taken < n && taken < batch->max_rows; taken++) {
        const int64_t i = rows[taken];
        int64_t z, gradients_end;
        int is_absent;
        const int64_t ahead = rows[min_i64(taken + 4 * ROWS_AHEAD, n - 1)];
        prefetch_entries(X->indptr, ahead, 1, (int64_t)index_size(X->index_type));
        if (weight)
            prefetch_entries(weight, ahead, 1, 8);
        if (i < 0 || i >= X->n_rows) {
            *bad_row = i;
            return FASTFM_BAD_ROW;
        }
        is_absent = weight && weight[i] == 0;
        z = is_absent ? 0 : row_length(X, i);
        gradients_end = gradients + row_gradients(batch->b.model, z);
        if (nnz + z > batch->max_values || gradients_end > batch->max_gradients)
            break;
        set_index(indptr, X->index_type, taken, nnz);
        if (batch->b.model->fields)
            batch->b.gradient_begin[taken] = gradients;
        nnz += z;
        gradients = gradients_end;
        n_weighted += !is_absent;
    }
    set_index(indptr, X->index_type, taken, nnz);
    batch->rows = rows;
    batch->n_rows = batch->b.X.n_rows = taken;
    batch->n_weighted = n_weighted;
    batch->b.X.nnz = nnz;
    cut(batch);
    return FASTFM_OK;
}

/* Shuffled rows lie anywhere. */
FORCE_INLINE void prefetch_source_row(const training_batch *batch, int64_t i)
{
    const fastfm_csr *X = batch->X;
    const int64_t index = (int64_t)index_size(X->index_type);
    int64_t from, z;
    if (i >= batch->n_rows)
        return;
    from = index_at(X->indptr, X->index_type, batch->rows[i]);
    z = row_length(&batch->b.X, i);
    prefetch_entries(X->indices, from, z, index);
    prefetch_entries(X->data, from, z, (int64_t)real_size(X->data_type));
    prefetch_entries(batch->targets->y, batch->rows[i], 1,
                     (int64_t)real_size(batch->targets->y_type));
}

void batch_copy_block(const training_batch *batch, int64_t block)
{
    const fastfm_csr *X = batch->X, *own = &batch->b.X;
    const int64_t index = (int64_t)index_size(X->index_type);
    const int64_t data = (int64_t)real_size(X->data_type);
    const int64_t own_size = (int64_t)real_size(own->data_type);
    const fastfm_normalization how = batch->b.solver->normalize;
    char *own_indices = (char *)(uintptr_t)own->indices, *own_data = (char *)(uintptr_t)own->data;
    for (int64_t i = batch->block_begin[block]; i < batch->block_begin[block + 1]; i++) {
        prefetch_source_row(batch, i + ROWS_AHEAD);
        const int64_t from = index_at(X->indptr, X->index_type, batch->rows[i]);
        const int64_t to = index_at(own->indptr, own->index_type, i);
        const int64_t z = row_length(own, i);
        memcpy(own_indices + to * index, (const char *)X->indices + from * index,
               (size_t)(z * index));
        if (how == FASTFM_AS_IS)
            memcpy(own_data + to * data, (const char *)X->data + from * data, (size_t)(z * data));
        else
            normalize_row(how, (const char *)X->data + from * data, X->data_type, z,
                          own_data + to * own_size, own->data_type,
                          own->linear_scale ? (double *)(uintptr_t)own->linear_scale + i : NULL);
    }
}

static int64_t largest_part(const training_batch *batch)
{
    int64_t largest = 1;
    for (int64_t q = 0; q < batch->b.n_parts; q++) {
        int64_t n = 0;
        for (int64_t block = 0; block < batch->b.n_blocks; block++) {
            const int64_t *begin = batch->b.part_begin + block * (batch->b.n_parts + 1) + q;
            n += begin[1] - begin[0];
        }
        largest = max_i64(largest, n);
    }
    return largest;
}

static void lay_out_scratch(const training_batch *batch, learn_scratch *scratch, arena *memory,
                            int64_t room)
{
    const fastfm_model *model = batch->b.model;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    const int64_t slots = min_i64(room, model->n_features);
    scratch->room = room;
    for (scratch->table_size = 1; scratch->table_size < 2 * slots;)
        scratch->table_size *= 2;
    scratch->table = (int32_t *)take(memory, scratch->table_size * 4);
    scratch->slot_of = (int32_t *)take(memory, room * 4);
    scratch->counts = (int32_t *)take(memory, slots * 4);
    scratch->features = (int64_t *)take(memory, slots * 8);
    scratch->largest = (char *)take(memory, slots * real);
    scratch->grad_w = (char *)take(memory, slots * C * real);
    scratch->grad_V = (char *)take(memory, slots * factors_of_feature(model) * real);
    if (model->fields) {
        scratch->times = (char *)take(memory, slots * C * real);
        scratch->gradient_of = (char **)take(memory, slots * (int64_t)sizeof(char *));
        scratch->n_partial = (int32_t *)take(memory, slots * 4);
        scratch->field_counts = (int32_t *)take(memory, slots * (model->n_fields + 1) * 4);
    }
}

fastfm_status batch_make_scratch(training_batch *batch)
{
    const int64_t needed = largest_part(batch), room = needed + needed / 4;
    learn_scratch measured;
    arena memory = {NULL, 0};
    void *allocated;
    if (needed <= batch->scratch[0].room)
        return FASTFM_OK;
    lay_out_scratch(batch, &measured, &memory, room);
    allocated = malloc((size_t)(memory.used * batch->n_threads + CACHE_LINE));
    if (!allocated)
        return FASTFM_NO_MEMORY;
    free(batch->scratch_memory);
    batch->scratch_memory = allocated;
    memory = (arena){first_line(allocated), 0};
    for (int thread = 0; thread < batch->n_threads; thread++)
        lay_out_scratch(batch, &batch->scratch[thread], &memory, room);
    return FASTFM_OK;
}
