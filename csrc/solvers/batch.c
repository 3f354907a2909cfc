/* The rows of a batch: which ones, their copy, and their row blocks.
 *
 * Rows are copied because the caller's order is any order: after the copy each row block lies in
 * one piece, all kernels stream through it, and X may be normalised without a second matrix. The
 * copy is made block by block, by the threads. Only indptr of the copy is made by the driver, in
 * batch_take_rows, because the split into blocks depends on it. */
#include "solvers/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rows/prepare_block.h"

/* Values and rows in a row block of an FM, about. Three threads or more get FM_BLOCKS_A_THREAD blocks each, but
 * none of fewer than FM_LEAST_VALUES. */
#define FM_BLOCK_VALUES 8192
#define FM_BLOCKS_A_THREAD 4
#define FM_LEAST_VALUES 512

/* The least values and rows in a row block of an FFM; but from FFM_DIVIDED_VALUES on a batch has two. A batch
 * of FFM_LARGE_VALUES, enough for 16 threads, has more and smaller blocks. Those of a smaller batch would
 * cost one or two threads 6 %. */
#define FFM_BLOCK_VALUES 8192
#define FFM_DIVIDED_VALUES 2048
#define FFM_LARGE_VALUES 65536
#define FFM_LARGE_BLOCK_VALUES 4096

/* Rows that are prefetched ahead of the one that is copied. */
#define ROWS_AHEAD 6

/* Limits of a batch. A larger one is cut, at a place that the rows alone decide.
 * MAX_GRADIENT_BYTES: FFM, of its accumulators. MAX_UPDATE_BYTES: FFM, of the gradients that one row
 * updates by itself. MAX_VALUES: so that a local id fits 32 bits. */
#define MAX_GRADIENT_BYTES (INT64_C(1) << 27)
#define MAX_UPDATE_BYTES (INT64_C(1) << 18)
#define MAX_VALUES (INT64_C(1) << 24)

/* Prefetches entries [first, first + n) of an array, at most 1024 bytes of them; size: bytes of an entry. It
 * is inlined, as everything that only prefetches: see prefetch.h. */
FORCE_INLINE void prefetch_entries(const void *array, int64_t first, int64_t n, int64_t size)
{
    prefetch_row(array, first, size, min_i64(n * size, 1024), 0, 0);
}

/* Stored values of row i. */
static int64_t row_length(const fastfm_csr *X, int64_t i)
{
    return index_at(X->indptr, X->index_type, i + 1) - index_at(X->indptr, X->index_type, i);
}

/* The number of row blocks. Each block of an FFM has accumulators of its own, and so decides the order of
 * sums: their number must not depend on the number of threads. It is a power of two, because 16
 * threads finish 16 blocks in half the time of 17; and no larger, because each block needs accumulators. The
 * sums of an FM are in row order, however its rows are cut. */
static int64_t blocks_for(const fastfm_model *model, int64_t n_rows, int64_t n_values,
                          int n_threads)
{
    const int64_t n = n_values + n_rows;
    const int64_t wanted = n_threads > 2 ? FM_BLOCKS_A_THREAD * n_threads : 0;
    int64_t n_blocks = n < FFM_DIVIDED_VALUES ? 1 : 2;
    if (!model->fields)
        return 1 + max_i64(n / FM_BLOCK_VALUES, min_i64(wanted, n / FM_LEAST_VALUES));
    while (n / (2 * n_blocks) >= (n < FFM_LARGE_VALUES ? FFM_BLOCK_VALUES : FFM_LARGE_BLOCK_VALUES))
        n_blocks *= 2;
    return n_blocks;
}

/* The most accumulators that a batch of an FFM can need: one for each value, or for each feature in
 * each block. */
static int64_t most_accumulators(const training_batch *batch, int64_t max_blocks)
{
    const int64_t n_features = batch->view.model->n_features;
    return n_features < batch->max_values / max_blocks ? n_features * max_blocks
                                                       : batch->max_values;
}

/* Every array of a batch, for max_rows, max_values and n_threads. All have room for the worst case,
 * except those of the threads. */
static void carve_arena(training_batch *batch, arena *memory)
{
    batch_view *view = &batch->view;
    const fastfm_model *model = view->model;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    const int64_t index = (int64_t)index_size(batch->source->index_type);
    const int64_t rows = batch->max_rows, values = batch->max_values;
    const int64_t max_blocks = blocks_for(model, rows, values, batch->n_threads);
    const int64_t max_partitions = batch->sorts_by_share ? MAX_SHARES : 1 << MAX_PARTITION_BITS;
    if (!batch->sorts_by_share) { /* else each thread copies rows where it has to */
        view->rows.indptr = arena_alloc(memory, (rows + 1) * index);
        view->rows.indices = arena_alloc(memory, values * index);
        view->rows.data = arena_alloc(memory, values * (int64_t)real_size(view->rows.data_type));
    }
    view->linear_scale =
        model->normalization == FASTFM_XLEARN ? (double *)arena_alloc(memory, rows * 8) : NULL;
    view->scores = (char *)arena_alloc(memory, rows * C * real);
    view->dscores = (char *)arena_alloc(memory, rows * C * real);
    batch->losses = (double *)arena_alloc(memory, rows * 8);
    batch->row_gradients = (double *)arena_alloc(memory, rows * C * 8);
    view->partition_begin = (int64_t *)arena_alloc(memory, max_blocks * (max_partitions + 1) * 8);
    view->block_begin = (int64_t *)arena_alloc(memory, (max_blocks + 1) * 8);
    batch->local = (thread_local_data *)arena_alloc(memory, batch->n_threads *
                                                                (int64_t)sizeof(thread_local_data));
    if (model->fields) {
        const int64_t accumulators = most_accumulators(batch, max_blocks);
        carve_accumulators(model, &view->accumulators, memory, accumulators);
        view->merge_target = (int32_t *)arena_alloc(memory, accumulators * 4);
        view->local_id_of = (int32_t *)arena_alloc(memory, values * 4);
        view->features =
            (feature_entry *)arena_alloc(memory, values * (int64_t)sizeof(feature_entry));
        view->accumulator_begin = (int64_t *)arena_alloc(memory, (1 << MAX_PARTITION_BITS) * 8);
        view->accumulator_end = (int64_t *)arena_alloc(memory, (1 << MAX_PARTITION_BITS) * 8);
    } else {
        if (view->solver->rule == FASTFM_SUM && !batch->sorts_by_share)
            view->block_rows =
                (fastfm_csr *)arena_alloc(memory, max_blocks * (int64_t)sizeof(fastfm_csr));
        view->s = (char *)arena_alloc(memory, rows * C * model->n_factors * real);
        view->values = arena_alloc(memory, values * FM_VALUE_BYTES);
    }
}

/* What of the view does not change from batch to batch. */
static void set_view(training_batch *batch, const fastfm_csr *X, const fastfm_model *model,
                     const fastfm_solver *solver)
{
    batch_view *view = &batch->view;
    view->model = model;
    view->solver = solver;
    view->max_row = batch->work.max_row;
    view->rows.index_type = X->index_type;
    view->rows.data_type = prepared_type(X, model);
}

/* The longest row always fits in a batch, even if it is beyond the limits. Where a batch is cut does not
 * depend on that row, because another piece of the caller's rows need not have it. */
fastfm_status batch_open(training_batch *batch, const fastfm_csr *X, const fastfm_model *model,
                         const fastfm_loss *loss, const fastfm_targets *targets,
                         const fastfm_solver *solver, int64_t n_rows, int n_threads,
                         int64_t *bad_row)
{
    batch->sorts_by_share = solver->rule == FASTFM_SUM && sorts_by_share(model, n_threads);
    const fastfm_status status = workspace_open(
        &batch->work, X, model, batch->sorts_by_share ? FM_BLOCK_VALUES : 1, n_threads, bad_row);
    const int64_t longest = batch->work.max_row;
    const int64_t sum_bytes = accumulator_stride(model) * (int64_t)real_size(model->real);
    arena memory = {NULL, 0};
    batch->memory = batch->thread_memory = NULL;
    batch->thread_bytes = 0;
    if (status != FASTFM_OK)
        return status;
    batch->source = X;
    batch->loss = loss;
    batch->targets = targets;
    batch->n_threads = n_threads;
    set_view(batch, X, model, solver);
    batch->max_rows = n_rows;
    batch->max_values = n_rows <= MAX_VALUES / max_i64(longest, 1) ? n_rows * longest : MAX_VALUES;
    if (model->fields) {
        batch->view.max_update = MAX_UPDATE_BYTES / sum_bytes;
        batch->max_values = min_i64(batch->max_values, MAX_GRADIENT_BYTES / sum_bytes);
    }
    batch->cut_values = batch->max_values;
    batch->max_values = max_i64(longest, batch->max_values);
    carve_arena(batch, &memory);
    batch->memory = malloc((size_t)(memory.used + CACHE_LINE));
    if (!batch->memory) {
        workspace_close(&batch->work);
        return FASTFM_NO_MEMORY;
    }
    memory = (arena){align_to_line(batch->memory), 0};
    carve_arena(batch, &memory);
    return FASTFM_OK;
}

void batch_close(training_batch *batch)
{
    workspace_close(&batch->work);
    free(batch->memory);
    free(batch->thread_memory);
}

/* Splits the batch into row blocks of about equally many values, and chooses its partitions. */
static void split_into_blocks(training_batch *batch)
{
    batch_view *view = &batch->view;
    view->n_blocks = blocks_for(view->model, batch->n_rows, view->rows.nnz, batch->n_threads);
    choose_partition_bits(batch);
    for (int64_t block = 0; block <= view->n_blocks; block++)
        batch->view.block_begin[block] =
            row_block_begin(&view->rows, 0, batch->n_rows, block, view->n_blocks);
}

/* Reads indptr and weights only. The rows lie anywhere in X, so both are prefetched: further ahead than
 * values are later, because a row costs little here. */
fastfm_status batch_take_rows(training_batch *batch, const int64_t *row_numbers, int64_t first_row,
                              int64_t n, int64_t *bad_row)
{
    const fastfm_csr *X = batch->source;
    const double *weight = batch->targets->weight;
    void *indptr = (void *)(uintptr_t)batch->view.rows.indptr;
    int64_t nnz = 0, n_weighted = 0, taken = 0;
    batch->row_numbers = row_numbers;
    batch->first_row = first_row;
    for (; taken < n && taken < batch->max_rows; taken++) {
        const int64_t i = source_row(batch, taken);
        int64_t z;
        int is_absent;
        const int64_t ahead = source_row(batch, min_i64(taken + 4 * ROWS_AHEAD, n - 1));
        prefetch_entries(X->indptr, ahead, 1, (int64_t)index_size(X->index_type));
        if (weight)
            prefetch_entries(weight, ahead, 1, 8);
        if (i < 0 || i >= X->n_rows) {
            *bad_row = i;
            return FASTFM_BAD_ROW;
        }
        is_absent = weight && weight[i] == 0;
        z = is_absent ? 0 : row_length(X, i); /* a row of weight zero is copied as an empty one */
        if (taken > 0 && nnz + z > batch->cut_values)
            break;
        set_index(indptr, X->index_type, taken, nnz);
        nnz += z;
        n_weighted += !is_absent;
    }
    set_index(indptr, X->index_type, taken, nnz);
    batch->n_rows = batch->view.rows.n_rows = taken;
    batch->n_weighted = n_weighted;
    batch->view.rows.nnz = nnz;
    split_into_blocks(batch);
    return reserve_thread_memory(batch, 0);
}

/* The last row that fits is found by a binary search. */
void batch_take_range(training_batch *batch, int64_t first_row, int64_t n)
{
    const fastfm_csr *X = batch->source;
    batch_view *view = &batch->view;
    const int64_t first = index_at(X->indptr, X->index_type, first_row);
    int64_t low = 1, high = min_i64(n, batch->max_rows);
    while (low < high) {
        const int64_t rows = high - (high - low) / 2;
        if (index_at(X->indptr, X->index_type, first_row + rows) - first <= batch->cut_values)
            low = rows;
        else
            high = rows - 1;
    }
    batch->row_numbers = NULL;
    batch->first_row = first_row;
    batch->n_rows = low;
    view->n_partitions = view->shares->n;
    view->rows.nnz = index_at(X->indptr, X->index_type, first_row + low) - first;
    view->n_blocks = blocks_for(view->model, low, view->rows.nnz, batch->n_threads);
    for (int64_t block = 0; block <= view->n_blocks; block++)
        view->block_begin[block] =
            row_block_begin(X, first_row, first_row + low, block, view->n_blocks) - first_row;
}

/* Prefetches what will be copied for row i: the rows of a shuffled batch lie anywhere. */
FORCE_INLINE void prefetch_source_row(const training_batch *batch, int64_t i)
{
    const fastfm_csr *X = batch->source;
    const int64_t index = (int64_t)index_size(X->index_type);
    int64_t from, z;
    if (i >= batch->n_rows)
        return;
    from = index_at(X->indptr, X->index_type, source_row(batch, i));
    z = row_length(&batch->view.rows, i);
    prefetch_entries(X->indices, from, z, index);
    prefetch_entries(X->data, from, z, (int64_t)real_size(X->data_type));
    prefetch_entries(batch->targets->y, source_row(batch, i), 1,
                     (int64_t)real_size(batch->targets->y_type));
}

/* Indices are copied unchecked; workspace_check then checks the copy, which the caller cannot change. A row
 * of weight zero is empty in the batch; its linear part is 0, so any linear_scale will do. */
void batch_copy_block(const training_batch *batch, int64_t block, int sums_repeats, int thread)
{
    const batch_view *view = &batch->view;
    const fastfm_csr *copy = &view->rows;
    const int64_t index_bytes = (int64_t)index_size(copy->index_type);
    const int64_t data_bytes = (int64_t)real_size(copy->data_type);
    char *indices = (char *)(uintptr_t)copy->indices, *data = (char *)(uintptr_t)copy->data;
    for (int64_t i = batch->view.block_begin[block]; i < batch->view.block_begin[block + 1]; i++) {
        const int64_t to = index_at(copy->indptr, copy->index_type, i);
        prefetch_source_row(batch, i + ROWS_AHEAD);
        if (view->linear_scale)
            view->linear_scale[i] = 1;
        if (row_length(copy, i) > 0)
            copy_prepared_row(batch->source, view->model, source_row(batch, i), sums_repeats,
                              workspace_table(&batch->work, thread),
                              workspace_copy(&batch->work, thread).row_data,
                              indices + to * index_bytes, data + to * data_bytes,
                              view->linear_scale ? view->linear_scale + i : NULL);
    }
}
