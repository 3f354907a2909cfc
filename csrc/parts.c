/* The parts of a batch: what features they have, and memory for what is found out about them. */
#include <stdlib.h>

#include "arena.h"
#include "batch.h"

#define PART_ENTRIES 1024
#define UPDATE_PIECES 16 /* of a part of an FFM, at most */
#define PIECE_SLOTS 64   /* at least */
#define SAMPLE_ROWS 1000 /* that tell how many values fields have */

/* An FM has so many parts that one stays in the cache. */
void batch_deal_features(training_batch *batch)
{
    for (batch->b.hash_bits = 0; batch->b.hash_bits < MAX_PART_BITS;)
        if (batch->b.X.nnz >> ++batch->b.hash_bits < PART_ENTRIES)
            break;
    batch->b.n_parts = INT64_C(1) << batch->b.hash_bits;
}

/* An FFM has a part for each thread, and two at least, for an L1 does not hold a whole row and its sums:
 * fields that follow each other and have about equally many values in the first rows. Where there are
 * more threads than fields, features are dealt by a hash too. */
void batch_deal_fields(training_batch *batch)
{
    const fastfm_csr *X = batch->X;
    const fastfm_model *ffm = batch->b.model;
    const int64_t F = ffm->n_fields, rows = min_i64(X->n_rows, SAMPLE_ROWS);
    const int64_t end = index_at(X->indptr, X->index_type, rows);
    const int64_t n = min_i64(min_i64(max_i64(2, batch->n_threads), F), 1 << MAX_PART_BITS);
    int32_t *part_of_field = batch->b.part_of_field;
    int64_t all = F, so_far = 0;
    for (int64_t b = 0; b < F; b++)
        part_of_field[b] = 1; /* counts, at first: a field without values is one too */
    for (int64_t p = index_at(X->indptr, X->index_type, 0); p < end; p++) {
        const int64_t j = index_at(X->indices, X->index_type, p);
        if (j >= 0 && j < ffm->n_features) /* not checked yet */
            part_of_field[ffm->fields[j]]++, all++;
    }
    for (int64_t b = 0; b < F; b++) {
        const int64_t count = part_of_field[b];
        part_of_field[b] = (int32_t)((2 * so_far + count) * n / (2 * all));
        so_far += count;
    }
    for (int64_t q = n, b = F; q >= 0; q--) {
        while (b > 0 && part_of_field[b - 1] >= q)
            b--;
        batch->b.field_begin[q] = b;
    }
    batch->b.hash_bits = 0;
    while (n << batch->b.hash_bits < min_i64(batch->n_threads, 1 << (MAX_PART_BITS - 1)))
        batch->b.hash_bits++;
    batch->b.n_parts = n << batch->b.hash_bits;
}

static int64_t part_entries(const training_batch *batch, int64_t part)
{
    int64_t n = 0;
    for (int64_t block = 0; block < batch->b.n_blocks; block++) {
        const int64_t *begin = batch->b.part_begin + block * (batch->b.n_parts + 1) + part;
        n += begin[1] - begin[0];
    }
    return n;
}

static void lay_out_found(const training_batch *batch, part_data *found, arena *memory,
                          int64_t room)
{
    const fastfm_model *model = batch->b.model;
    const int64_t C = model->n_outputs, real = (int64_t)real_size(model->real);
    const int64_t slots = min_i64(room, model->n_features), line = CACHE_LINE / real;
    const int64_t block = factors_of_feature(model);
    /* An FFM's sums begin with a line, each. */
    found->grad_stride = model->fields ? (block + line - 1) / line * line : block;
    for (found->table_size = 1; found->table_size < 2 * slots;)
        found->table_size *= 2;
    found->table = (int32_t *)take(memory, found->table_size * 4);
    found->slot_of = (int32_t *)take(memory, room * 4);
    found->counts = (int32_t *)take(memory, slots * 4);
    found->features = (int64_t *)take(memory, slots * 8);
    found->largest = (char *)take(memory, slots * real);
    found->grad_w = (char *)take(memory, slots * C * real);
    found->grad_V = (char *)take(memory, slots * found->grad_stride * real);
    if (model->fields) {
        found->n_partial = (int32_t *)take(memory, slots * 4);
        found->field_counts = (int32_t *)take(memory, slots * model->n_fields * 4);
        found->S = (char *)take(memory, min_i64(model->n_fields, batch->b.max_row) *
                                            model->n_factors * real);
    }
}

/* FM: with room for the largest part; FFM: for the part. */
static void lay_out_all_found(training_batch *batch, arena *memory)
{
    if (batch->b.model->fields) {
        for (int64_t part = 0; part < batch->b.n_parts; part++)
            lay_out_found(batch, &batch->found[part], memory, part_entries(batch, part));
    } else {
        int64_t largest = 0;
        for (int64_t part = 0; part < batch->b.n_parts; part++)
            largest = max_i64(largest, part_entries(batch, part));
        for (int thread = 0; thread < batch->n_threads; thread++)
            lay_out_found(batch, &batch->found[thread], memory, largest);
    }
}

fastfm_status batch_make_room(training_batch *batch)
{
    arena memory = {NULL, 0};
    lay_out_all_found(batch, &memory);
    if (memory.used > batch->found_bytes) {
        free(batch->found_memory);
        batch->found_bytes = memory.used + memory.used / 4;
        batch->found_memory = malloc((size_t)(batch->found_bytes + CACHE_LINE));
        if (!batch->found_memory)
            return FASTFM_NO_MEMORY;
    }
    memory = (arena){first_line(batch->found_memory), 0};
    lay_out_all_found(batch, &memory);
    return FASTFM_OK;
}

int64_t batch_cut_updates(training_batch *batch)
{
    const int64_t n_parts = batch->b.n_parts;
    int64_t n_slots = 0;
    for (int64_t part = 0; part < n_parts; part++)
        n_slots += batch->found[part].n_slots;
    if (batch->n_threads > 1)
        batch->n_pieces = max_i64(1, min_i64(UPDATE_PIECES, n_slots / (PIECE_SLOTS * n_parts)));
    return n_parts * batch->n_pieces;
}
