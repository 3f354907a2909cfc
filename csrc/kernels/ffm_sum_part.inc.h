/* ffm_link: finds which features of a part are in more than one row of the batch. */

/* Gives slots to the features that block b has of the part: the numbers at number_of are theirs in the
 * table. first_slots: of each number the feature's first slot, or -1. Returns how many features there
 * were. */
static int64_t NAME(ffm_give_slots)(const batch_data *B, int64_t b, int64_t part,
                                    const feature_table *table, const int32_t *number_of,
                                    int32_t *first_slots)
{
    const int64_t at = b * (B->n_parts + 1) + part;
    const int64_t begin = B->part_begin[at], end = B->part_begin[at + 1];
    int64_t slot = begin;
    for (int64_t e = begin; e < end; e++) {
        const int32_t number = number_of[e - begin];
        block_feature *feature = B->features + e;
        feature->slot = -1;
        if (table->counts[number] == 1)
            continue;
        if (first_slots[number] < 0)
            first_slots[number] = (int32_t)slot;
        feature->slot = (int32_t)slot;
        B->sums.features[slot] = feature->feature;
        B->sums.counts[slot] = 0;
        ((REAL *)B->sums.largest)[slot] = ((const REAL *)table->largest)[number];
        B->into[slot] = first_slots[number];
        slot++;
    }
    B->slots_end[at] = slot;
    return end - begin;
}

static void NAME(ffm_link)(const batch_data *B, int64_t part, thread_data *own)
{
    feature_table *table = &own->table;
    int32_t *number_of = own->slot_of, *first_slots = own->slots;
    clear_table(table, size_of_part(B, part));
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const block_feature *feature = B->features + e;
            int is_new;
            *number_of = NAME(number_feature)(table, feature->feature, feature->n_rows,
                                              (REAL)feature->largest, &is_new);
            first_slots[*number_of++] = -1;
        }
    }
    number_of = own->slot_of;
    for (int64_t b = 0; b < B->n_blocks; b++)
        number_of += NAME(ffm_give_slots)(B, b, part, table, number_of, first_slots);
}

/* Adds the sums of one slot to those of another. */
static void NAME(ffm_merge_slots)(const batch_data *B, int64_t into, int64_t slot)
{
    const gradient_sums *sums = &B->sums;
    const int64_t C = B->model->n_outputs, F = B->model->n_fields;
    const int64_t block = factors_of_feature(B->model);
    REAL *w = (REAL *)sums->grad_w, *V = (REAL *)sums->grad_V + into * sums->grad_stride;
    const REAL *other_V = (const REAL *)sums->grad_V + slot * sums->grad_stride;
    int64_t f = 0;
    for (int64_t c = 0; c < C; c++)
        w[into * C + c] += w[slot * C + c];
#define ADD(lanes)            \
    VEC(lanes, _store)(V + f, \
                       VEC(lanes, _add)(VEC(lanes, _load)(V + f), VEC(lanes, _load)(other_V + f)))
    FOR_FACTORS(block, f, ADD)
#undef ADD
    sums->counts[into] += sums->counts[slot];
    if (sums->n_partial[slot] > 0) {
        int32_t *counts = sums->field_counts + into * F;
        const int32_t *other_counts = sums->field_counts + slot * F;
        for (int64_t b = 0; b < F; b++)
            counts[b] = (sums->n_partial[into] > 0 ? counts[b] : 0) + other_counts[b];
        sums->n_partial[into] += sums->n_partial[slot];
    }
}

/* ffm_sum_part: the sums that blocks have of a feature come together, in the order of blocks. */
static int64_t NAME(ffm_sum_part)(const batch_data *B, int64_t part, thread_data *own)
{
    int64_t n = 0;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t at = b * (B->n_parts + 1) + part;
        for (int64_t slot = B->part_begin[at]; slot < B->slots_end[at]; slot++) {
            if (B->into[slot] == slot)
                own->slots[n++] = (int32_t)slot;
            else
                NAME(ffm_merge_slots)(B, B->into[slot], slot);
        }
    }
    NAME(prefetch_states)(B, &B->sums, own->slots, n);
    return n;
}
