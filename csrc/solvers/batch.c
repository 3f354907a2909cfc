#include "solvers/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rows/prepare_block.h"

#define BLOCK_VALUES 8192 /* about so many in a block */
#define FFM_BLOCK_VALUES 12288
#define FFM_DIVIDED_VALUES 2048 /* from which on there is more than one block */
#define ROWS_AHEAD 6            /* that are prefetched while rows are copied */
/* FFM: the most bytes of sums of a batch, and of those that one row updates. Of any batch: the most values.
 * Larger batches are cut. */
#define MAX_GRADIENT_BYTES (INT64_C(1) << 27)
#define MAX_UPDATE_BYTES (INT64_C(1) << 18)
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

/* Each block of an FFM has sums of its own, whatever the number of threads: so there are few, and an even
 * number, for two threads are done sooner with four than with three. */
static int64_t blocks_for(const fastfm_model *model, int64_t n_rows, int64_t n_values)
{
    const int64_t n = n_values + n_rows;
    if (!model->fields)
        return 1 + n / BLOCK_VALUES;
    return n < FFM_DIVIDED_VALUES ? 1 : 2 * (1 + n / (2 * FFM_BLOCK_VALUES));
}

static void lay_out(training_batch *batch, arena *memory)
{
    const fastfm_model *model = batch->b.model;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    const int64_t index = (int64_t)index_size(batch->X->index_type);
    const int64_t rows = batch->max_rows, values = batch->max_values;
    const int64_t max_blocks = blocks_for(model, rows, values);
    batch->b.X.indptr = take(memory, (rows + 1) * index);
    batch->b.X.indices = take(memory, values * index);
    batch->b.X.data = take(memory, values * (int64_t)real_size(batch->b.X.data_type));
    batch->b.X.linear_scale =
        model->normalization == FASTFM_XLEARN ? (double *)take(memory, rows * 8) : NULL;
    batch->b.scores = (char *)take(memory, rows * C * real);
    batch->b.dscores = (char *)take(memory, rows * C * real);
    batch->losses = (double *)take(memory, rows * 8);
    batch->row_gradients = (double *)take(memory, rows * C * 8);
    batch->b.part_begin = (int64_t *)take(memory, max_blocks * ((1 << MAX_PART_BITS) + 1) * 8);
    batch->block_begin = (int64_t *)take(memory, (max_blocks + 1) * 8);
    batch->own = (thread_data *)take(memory, batch->n_threads * (int64_t)sizeof(thread_data));
    if (model->fields) {
        const int64_t slots =
            model->n_features < values / max_blocks ? model->n_features * max_blocks : values;
        batch_lay_out_sums(model, &batch->b.sums, memory, slots);
        batch->b.into = (int32_t *)take(memory, slots * 4);
        batch->b.number_of = (int32_t *)take(memory, values * 4);
        batch->b.features =
            (feature_record *)take(memory, values * (int64_t)sizeof(feature_record));
        batch->b.slots_begin = (int64_t *)take(memory, (1 << MAX_PART_BITS) * 8);
        batch->b.slots_end = (int64_t *)take(memory, (1 << MAX_PART_BITS) * 8);
    } else {
        batch->b.s = (char *)take(memory, rows * C * model->n_factors * real);
        batch->b.entries = take(memory, values * FM_ENTRY_BYTES);
    }
}

fastfm_status batch_open(training_batch *batch, const fastfm_csr *X, const fastfm_model *model,
                         const fastfm_loss *loss, const fastfm_targets *targets,
                         const fastfm_solver *solver, int64_t n_rows, int n_threads,
                         int64_t *bad_row)
{
    const fastfm_status status = workspace_open(&batch->work, X, model, 1, n_threads, bad_row);
    const int64_t longest = batch->work.max_row;
    const int64_t sum_bytes = batch_grad_stride(model) * (int64_t)real_size(model->real);
    arena memory = {NULL, 0};
    batch->memory = batch->own_memory = NULL;
    batch->own_bytes = 0;
    if (status != FASTFM_OK)
        return status;
    batch->X = X;
    batch->loss = loss;
    batch->targets = targets;
    batch->n_threads = n_threads;
    batch->b.model = model;
    batch->b.solver = solver;
    batch->b.max_row = longest;
    batch->b.X.index_type = X->index_type;
    batch->b.X.data_type = prepared_type(X, model);
    batch->max_rows = n_rows;
    batch->max_values = min_i64(n_rows * longest, MAX_VALUES);
    if (model->fields) {
        batch->b.max_update = MAX_UPDATE_BYTES / sum_bytes;
        batch->max_values = min_i64(batch->max_values, MAX_GRADIENT_BYTES / sum_bytes);
    }
    batch->max_values = max_i64(longest, batch->max_values);
    lay_out(batch, &memory);
    batch->memory = malloc((size_t)(memory.used + CACHE_LINE));
    if (!batch->memory) {
        workspace_close(&batch->work);
        return FASTFM_NO_MEMORY;
    }
    memory = (arena){first_line(batch->memory), 0};
    lay_out(batch, &memory);
    return FASTFM_OK;
}

void batch_close(training_batch *batch)
{
    workspace_close(&batch->work);
    free(batch->memory);
    free(batch->own_memory);
}

static void cut(training_batch *batch)
{
    batch->b.n_blocks = blocks_for(batch->b.model, batch->n_rows, batch->b.X.nnz);
    batch_deal_features(batch);
    for (int64_t block = 0; block <= batch->b.n_blocks; block++)
        batch->block_begin[block] =
            row_block_begin(&batch->b.X, 0, batch->n_rows, block, batch->b.n_blocks);
}

fastfm_status batch_take(training_batch *batch, const int64_t *rows, int64_t n, int64_t *bad_row)
{
    const fastfm_csr *X = batch->X;
    const double *weight = batch->targets->weight;
    void *indptr = (void *)(uintptr_t)batch->b.X.indptr;
    int64_t nnz = 0, n_weighted = 0, taken = 0;
    for (; taken < n && taken < batch->max_rows; taken++) {
        const int64_t i = rows[taken];
        int64_t z;
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
        if (nnz + z > batch->max_values)
            break;
        set_index(indptr, X->index_type, taken, nnz);
        nnz += z;
        n_weighted += !is_absent;
    }
    set_index(indptr, X->index_type, taken, nnz);
    batch->rows = rows;
    batch->n_rows = batch->b.X.n_rows = taken;
    batch->n_weighted = n_weighted;
    batch->b.X.nnz = nnz;
    cut(batch);
    return batch_make_room(batch, 0);
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

void batch_copy_block(const training_batch *batch, int64_t block, int sums_repeats, int thread)
{
    const fastfm_csr *X = batch->X, *own = &batch->b.X;
    const int64_t index = (int64_t)index_size(X->index_type);
    const int64_t data = (int64_t)real_size(own->data_type);
    char *own_indices = (char *)(uintptr_t)own->indices, *own_data = (char *)(uintptr_t)own->data;
    double *linear_scale = (double *)(uintptr_t)own->linear_scale;
    for (int64_t i = batch->block_begin[block]; i < batch->block_begin[block + 1]; i++) {
        const int64_t to = index_at(own->indptr, own->index_type, i);
        prefetch_source_row(batch, i + ROWS_AHEAD);
        if (row_length(own, i) > 0)
            copy_prepared_row(X, batch->b.model, batch->rows[i], sums_repeats,
                              workspace_table(&batch->work, thread),
                              workspace_copy(&batch->work, thread).row_data,
                              own_indices + to * index, own_data + to * data,
                              linear_scale ? linear_scale + i : NULL);
        else if (linear_scale)
            linear_scale[i] = 1;
    }
}
