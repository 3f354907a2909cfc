/* How many partitions and accumulators a batch has, and the memory of its threads.
 *
 * The memory of a batch would be too much for the worst case of each thread: a row block or
 * partition can hold every value of the batch. So threads get what the largest one of this batch
 * needs, and keep it while it is enough. It is reserved between phases, by the thread that ends a
 * phase, while no other thread uses it. */
#include <stdlib.h>

#include "solvers/batch.h"

/* Values in a partition, about: what a thread has of one then stays in its cache. */
#define PARTITION_ENTRIES 1024

/* The smallest power of two, at least 2 and at most 2^MAX_PARTITION_BITS, whose partitions hold
 * fewer than PARTITION_ENTRIES values on average. */
void choose_partition_bits(training_batch *batch)
{
    batch_view *view = &batch->view;
    for (view->partition_bits = 0; view->partition_bits < MAX_PARTITION_BITS;)
        if (view->rows.nnz >> ++view->partition_bits < PARTITION_ENTRIES)
            break;
    view->n_partitions = INT64_C(1) << view->partition_bits;
}

/* Whole lines in an FFM, because its accumulators are written by different threads in a phase;
 * those of an FM belong to one thread and lie densely, as V does. */
int64_t accumulator_stride(const fastfm_model *model)
{
    const int64_t line = CACHE_LINE / (int64_t)real_size(model->real);
    const int64_t stride = feature_stride(model);
    return model->fields ? (stride + line - 1) / line * line : stride;
}

/* The arrays of gradient_accumulators; n_partial and field_counts only for an FFM. */
void carve_accumulators(const fastfm_model *model, gradient_accumulators *accumulators,
                        arena *memory, int64_t n)
{
    const int64_t real = (int64_t)real_size(model->real);
    accumulators->grad_stride = accumulator_stride(model);
    accumulators->features =
        (feature_entry *)arena_alloc(memory, n * (int64_t)sizeof(feature_entry));
    accumulators->grad_w = (char *)arena_alloc(memory, n * model->n_outputs * real);
    accumulators->grad_V = (char *)arena_alloc(memory, n * accumulators->grad_stride * real);
    if (model->fields) {
        accumulators->n_partial = (int32_t *)arena_alloc(memory, n * 4);
        accumulators->field_counts = (int32_t *)arena_alloc(memory, n * model->n_fields * 4);
    }
}

/* Values of the largest row block, an upper bound of its features. */
static int64_t largest_block(const training_batch *batch)
{
    const fastfm_csr *X = &batch->view.rows;
    int64_t largest = 0;
    for (int64_t block = 0; block < batch->view.n_blocks; block++)
        largest = max_i64(largest,
                          index_at(X->indptr, X->index_type, batch->view.block_begin[block + 1]) -
                              index_at(X->indptr, X->index_type, batch->view.block_begin[block]));
    return largest;
}

/* Sets sizes (n_partitions,) to the values (FM) or features of blocks (FFM) of each partition. Block by block,
 * because one thread does this while the others wait, and a block's counts lie side by side. */
static void partition_sizes(const batch_view *view, int64_t *sizes)
{
    for (int64_t q = 0; q < view->n_partitions; q++)
        sizes[q] = 0;
    for (int64_t block = 0; block < view->n_blocks; block++) {
        const int64_t *begin = view->partition_begin + block * (view->n_partitions + 1);
        for (int64_t q = 0; q < view->n_partitions; q++)
            sizes[q] += begin[q + 1] - begin[q];
    }
}

/* The size of the largest partition. */
static int64_t largest_partition(const training_batch *batch)
{
    int64_t sizes[1 << MAX_PARTITION_BITS], largest = 0;
    partition_sizes(&batch->view, sizes);
    for (int64_t q = 0; q < batch->view.n_partitions; q++)
        largest = max_i64(largest, sizes[q]);
    return largest;
}

/* The memory of one thread. room: values of a row block or partition. An FM has an accumulator for
 * each feature of a partition, and needs only one array of feature entries for both uses. */
static void carve_thread(const training_batch *batch, thread_local_data *local, arena *memory,
                         int64_t room)
{
    const fastfm_model *model = batch->view.model;
    const int64_t features = min_i64(room, model->n_features);
    feature_table *table = &local->table;
    table->cells = (int32_t *)arena_alloc(memory, feature_table_size(room) * 4);
    local->to_update = (int32_t *)arena_alloc(memory, room * 4);
    local->map.accumulator_of_value = (int32_t *)arena_alloc(memory, room * 4);
    if (model->fields) {
        table->entries =
            (feature_entry *)arena_alloc(memory, features * (int64_t)sizeof(feature_entry));
        carve_accumulators(model, &local->accumulators, memory,
                           min_i64(batch->view.max_row, batch->view.max_update));
    } else {
        carve_accumulators(model, &local->accumulators, memory, features);
        table->entries = local->accumulators.features;
    }
}

static void carve_all_threads(const training_batch *batch, arena *memory, int64_t room)
{
    for (int thread = 0; thread < batch->n_threads; thread++)
        carve_thread(batch, &batch->local[thread], memory, room);
}

/* Allocates a quarter more than is needed, so that slightly larger batches need no new memory. */
fastfm_status reserve_thread_memory(training_batch *batch, int is_sorted)
{
    const int64_t room = max_i64(batch->view.model->fields ? largest_block(batch) : 0,
                                 is_sorted ? largest_partition(batch) : 0);
    arena memory = {NULL, 0};
    carve_all_threads(batch, &memory, room);
    if (memory.used > batch->thread_bytes) {
        free(batch->thread_memory);
        batch->thread_bytes = memory.used + memory.used / 4;
        batch->thread_memory = malloc((size_t)(batch->thread_bytes + CACHE_LINE));
        if (!batch->thread_memory)
            return FASTFM_NO_MEMORY;
    }
    memory = (arena){align_to_line(batch->thread_memory), 0};
    carve_all_threads(batch, &memory, room);
    return FASTFM_OK;
}

/* Room for an accumulator of every feature of every block. Those that need none leave theirs unused
 * at the end of their partition. */
void place_accumulators(training_batch *batch)
{
    int64_t sizes[1 << MAX_PARTITION_BITS], accumulator = 0;
    partition_sizes(&batch->view, sizes);
    for (int64_t q = 0; q < batch->view.n_partitions; q++) {
        batch->view.accumulator_begin[q] = accumulator;
        accumulator += sizes[q];
    }
}
