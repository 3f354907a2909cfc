/* Memory for sums of gradients, and for what each thread has of the part or block that it works on. */
#include <stdlib.h>

#include "solvers/batch.h"

#define PART_ENTRIES 1024

/* So many parts that what a thread has of one stays in the cache. */
void batch_deal_features(training_batch *batch)
{
    for (batch->b.hash_bits = 0; batch->b.hash_bits < MAX_PART_BITS;)
        if (batch->b.X.nnz >> ++batch->b.hash_bits < PART_ENTRIES)
            break;
    batch->b.n_parts = INT64_C(1) << batch->b.hash_bits;
}

int64_t batch_grad_stride(const fastfm_model *model)
{
    const int64_t line = CACHE_LINE / (int64_t)real_size(model->real);
    const int64_t block = factors_of_feature(model);
    return model->fields ? (block + line - 1) / line * line : block;
}

void batch_lay_out_sums(const fastfm_model *model, gradient_sums *sums, arena *memory, int64_t n)
{
    const int64_t real = (int64_t)real_size(model->real);
    sums->grad_stride = batch_grad_stride(model);
    sums->records = (feature_record *)take(memory, n * (int64_t)sizeof(feature_record));
    sums->grad_w = (char *)take(memory, n * model->n_outputs * real);
    sums->grad_V = (char *)take(memory, n * sums->grad_stride * real);
    if (model->fields) {
        sums->n_partial = (int32_t *)take(memory, n * 4);
        sums->field_counts = (int32_t *)take(memory, n * model->n_fields * 4);
    }
}

static int64_t largest_block(const training_batch *batch)
{
    const fastfm_csr *X = &batch->b.X;
    int64_t largest = 0;
    for (int64_t block = 0; block < batch->b.n_blocks; block++)
        largest =
            max_i64(largest, index_at(X->indptr, X->index_type, batch->block_begin[block + 1]) -
                                 index_at(X->indptr, X->index_type, batch->block_begin[block]));
    return largest;
}

static int64_t largest_part(const training_batch *batch)
{
    int64_t largest = 0;
    for (int64_t part = 0; part < batch->b.n_parts; part++)
        largest = max_i64(largest, size_of_part(&batch->b, part));
    return largest;
}

/* room: values of a block or part, of which an FM sums the gradients. */
static void lay_out_own(const training_batch *batch, thread_data *own, arena *memory, int64_t room)
{
    const fastfm_model *model = batch->b.model;
    const int64_t features = min_i64(room, model->n_features);
    feature_table *table = &own->table;
    table->numbers = (int32_t *)take(memory, feature_table_size(room) * 4);
    own->slots = (int32_t *)take(memory, room * 4);
    own->slot_of = (int32_t *)take(memory, room * 4);
    if (model->fields) {
        table->records = (feature_record *)take(memory, features * (int64_t)sizeof(feature_record));
        batch_lay_out_sums(model, &own->sums, memory,
                           min_i64(batch->b.max_row, batch->b.max_update));
    } else {
        batch_lay_out_sums(model, &own->sums, memory, features);
        table->records = own->sums.records;
    }
}

static void lay_out_all(const training_batch *batch, arena *memory, int64_t room)
{
    for (int thread = 0; thread < batch->n_threads; thread++)
        lay_out_own(batch, &batch->own[thread], memory, room);
}

fastfm_status batch_make_room(training_batch *batch, int is_sorted)
{
    const int64_t room = max_i64(batch->b.model->fields ? largest_block(batch) : 0,
                                 is_sorted ? largest_part(batch) : 0);
    arena memory = {NULL, 0};
    lay_out_all(batch, &memory, room);
    if (memory.used > batch->own_bytes) {
        free(batch->own_memory);
        batch->own_bytes = memory.used + memory.used / 4;
        batch->own_memory = malloc((size_t)(batch->own_bytes + CACHE_LINE));
        if (!batch->own_memory)
            return FASTFM_NO_MEMORY;
    }
    memory = (arena){first_line(batch->own_memory), 0};
    lay_out_all(batch, &memory, room);
    return FASTFM_OK;
}

void batch_place_slots(training_batch *batch)
{
    int64_t slot = 0;
    for (int64_t part = 0; part < batch->b.n_parts; part++) {
        batch->b.slots_begin[part] = slot;
        slot += size_of_part(&batch->b, part);
    }
}
