/* ffm_link: gives slots to the features of a part that are in more than one row of the batch, or in a row
 * that is too long to update them. */
static void NAME(ffm_link)(const batch_data *B, int64_t part, thread_data *own)
{
    feature_table *table = &own->table;
    int32_t *number_of = own->slot_of;
    int64_t slot = B->slots_begin[part];
    clear_table(table, size_of_part(B, part));
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            feature_record *record = count_feature(table, B->features[e].feature,
                                                   B->features[e].largest, B->features[e].n_rows);
            record->is_summed |= B->features[e].is_summed || record->n_rows > 1;
            record->slot = -1; /* not yet */
            *number_of++ = record->number;
        }
    }
    number_of = own->slot_of;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            feature_record *record = &table->records[*number_of++];
            B->features[e].slot = -1;
            if (!record->is_summed)
                continue;
            if (record->slot < 0)
                record->slot = (int32_t)slot;
            B->into[slot] = record->slot;
            B->sums.records[slot] = *record;
            B->sums.n_partial[slot] = -1;
            B->features[e].slot = (int32_t)slot++;
        }
    }
    B->slots_end[part] = slot;
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
    for (int64_t slot = B->slots_begin[part]; slot < B->slots_end[part]; slot++) {
        if (B->into[slot] == slot)
            own->slots[n++] = (int32_t)slot;
        else
            NAME(ffm_merge_slots)(B, B->into[slot], slot);
    }
    NAME(prefetch_states)(B, &B->sums, own->slots, n);
    return n;
}
