/* The largest |x| of each slot. */
static void NAME(find_largest)(const batch_data *B, int64_t part, const learn_scratch *scratch)
{
    const DATA *data = (const DATA *)B->X.data;
    const int32_t *slot_of = scratch->slot_of;
    REAL *largest = (REAL *)scratch->largest;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const REAL x = (REAL)data[B->entries[e].position], size = x < 0 ? -x : x;
            REAL *sofar = largest + *slot_of++;
            *sofar = size > *sofar ? size : *sofar;
        }
    }
}

/* slots: numbers the features of a part in order of appearance, in scratch->slot_of for each of its
 * entries, and counts their rows. Returns how many there are. Prefetches what the sums need. */
static int64_t NAME(find_slots)(const batch_data *B, int64_t part, const learn_scratch *scratch)
{
    const fastfm_model *model = B->model;
    const int64_t C = model->n_outputs;
    const int64_t block = factors_of_feature(model);
    const int64_t row_bytes = block * (int64_t)sizeof(REAL), w_bytes = C * (int64_t)sizeof(REAL);
    const uint64_t mask = (uint64_t)scratch->table_size - 1;
    const int into_L2 = model->fields && ffm_prefetches_into_L2;
    REAL *largest = (REAL *)scratch->largest;
    int64_t n_slots = 0, n_entries = 0;
    for (int64_t t = 0; t < scratch->table_size; t++)
        scratch->table[t] = -1;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = B->entries[e].feature;
            uint64_t at = feature_hash(feature) >> 16 & mask;
            int32_t slot;
            while ((slot = scratch->table[at]) >= 0 && scratch->features[slot] != feature)
                at = (at + 1) & mask;
            if (slot < 0) {
                scratch->table[at] = slot = (int32_t)n_slots++;
                scratch->features[slot] = feature;
                scratch->counts[slot] = 0;
                largest[slot] = 0;
                prefetch_row(model->V, feature, row_bytes, row_bytes, 1, into_L2);
                prefetch_row(model->w, feature, w_bytes, w_bytes, C > 1, into_L2);
            }
            scratch->counts[slot]++;
            scratch->slot_of[n_entries++] = slot;
        }
    }
    if (B->solver->scale)
        NAME(find_largest)(B, part, scratch);
    return n_slots;
}
