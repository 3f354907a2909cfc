/* The largest |x| of each slot. */
static void NAME(find_largest)(const batch_data *B, int64_t part, const part_data *found)
{
    const DATA *data = (const DATA *)B->X.data;
    const int32_t *slot_of = found->slot_of;
    REAL *largest = (REAL *)found->largest;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const REAL x = (REAL)data[B->entries[e].position], size = x < 0 ? -x : x;
            REAL *sofar = largest + *slot_of++;
            *sofar = size > *sofar ? size : *sofar;
        }
    }
}

/* slots: numbers the features of a part in order of appearance, in found->slot_of for each of its
 * entries, and counts their rows. Prefetches what the sums of an FM need. */
static void NAME(find_slots)(const batch_data *B, int64_t part, part_data *found)
{
    const fastfm_model *model = B->model;
    const int64_t C = model->n_outputs;
    const int64_t block = factors_of_feature(model);
    const int64_t row_bytes = block * (int64_t)sizeof(REAL), w_bytes = C * (int64_t)sizeof(REAL);
    const uint64_t mask = (uint64_t)found->table_size - 1;
    REAL *largest = (REAL *)found->largest;
    int64_t n_slots = 0, n_entries = 0;
    for (int64_t t = 0; t < found->table_size; t++)
        found->table[t] = -1;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = B->entries[e].feature;
            uint64_t at = feature_hash(feature) >> 16 & mask;
            int32_t slot;
            while ((slot = found->table[at]) >= 0 && found->features[slot] != feature)
                at = (at + 1) & mask;
            if (slot < 0) {
                found->table[at] = slot = (int32_t)n_slots++;
                found->features[slot] = feature;
                found->counts[slot] = 0;
                largest[slot] = 0;
                if (!model->fields) {
                    prefetch_row(model->V, feature, row_bytes, row_bytes, 1, 0);
                    prefetch_row(model->w, feature, w_bytes, w_bytes, C > 1, 0);
                }
            }
            found->counts[slot]++;
            found->slot_of[n_entries++] = slot;
        }
    }
    if (B->solver->scale)
        NAME(find_largest)(B, part, found);
    found->n_slots = n_slots;
}
