/* ffm_sum_gradients: sums what ffm_blocks kept, times g x, in row order for the features of one
 * part. */

/* Where ffm_blocks kept an entry's terms. */
FORCE_INLINE REAL *NAME(ffm_blocks_of)(const batch_data *B, const batch_entry *entry)
{
    const int64_t place = (int64_t)entry->position - ((const INDEX *)B->X.indptr)[entry->row];
    return (REAL *)B->gradients + B->gradient_begin[entry->row] +
           place * B->model->n_outputs * B->n_groups[entry->row] * B->model->n_factors;
}

/* Counts a row that does not have all fields in order. */
static void NAME(ffm_count_fields)(const learn_scratch *scratch, int64_t slot, int64_t n_fields,
                                   const int32_t *fields, const int32_t *runs, int64_t n_groups)
{
    int32_t *counts = scratch->field_counts + slot * (n_fields + 1);
    if (scratch->n_partial[slot]++ == 0)
        for (int64_t b = 0; b <= n_fields; b++)
            counts[b] = 0;
    for (int64_t h = 0; h < n_groups; h += runs[h]) {
        counts[fields[h]] += 1;
        counts[fields[h] + runs[h]] -= 1;
    }
}

static void NAME(ffm_sum_gradients)(const batch_data *B, int64_t part, int64_t n_slots,
                                    const learn_scratch *scratch)
{
    const INDEX *indptr = (const INDEX *)B->X.indptr;
    const DATA *data = (const DATA *)B->X.data;
    const fastfm_model *ffm = B->model;
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, F = ffm->n_fields;
    const int32_t *slot_of = scratch->slot_of;
    for (int64_t slot = 0; slot < n_slots; slot++)
        scratch->gradient_of[slot] = NULL, scratch->n_partial[slot] = 0;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const batch_entry *entry = B->entries + e;
            const int64_t row = entry->row, slot = *slot_of++, groups = B->n_groups[row];
            const int32_t *fields = B->groups + indptr[row], *runs = B->runs + indptr[row];
            const int is_whole = groups == F && runs[0] == F;
            const REAL x = (REAL)data[entry->position];
            REAL *blocks = NAME(ffm_blocks_of)(B, entry);
            const batch_entry *next = entry + (e + 2 < begin[1] ? 2 : 0);
            const int64_t bytes = C * B->n_groups[next->row] * k * (int64_t)sizeof(REAL);
            prefetch_row(NAME(ffm_blocks_of)(B, next), 0, 0, bytes, 0, ffm_prefetches_into_L2);
            if (!is_whole)
                NAME(ffm_count_fields)(scratch, slot, F, fields, runs, groups);
            for (int64_t c = 0; c < C; c++)
                ((REAL *)scratch->grad_w)[slot * C + c] +=
                    ((const REAL *)B->dscores)[row * C + c] * x;
            const int is_first = !scratch->gradient_of[slot], in_place = is_first && is_whole;
            if (is_first)
                scratch->gradient_of[slot] =
                    in_place ? (char *)blocks : OF_REAL(ffm_zero_sums)(scratch, slot, C * F * k);
            for (int64_t c = 0; c < C; c++, blocks += groups * k) {
                const REAL gx = ((const REAL *)B->dscores)[row * C + c] * x;
                REAL *sums = (REAL *)scratch->gradient_of[slot] + c * F * k;
                if (is_first)
                    ((REAL *)scratch->times)[slot * C + c] = in_place ? gx : 1;
                if (in_place)
                    continue;
                OF_REAL(ffm_scale_first)(scratch, slot * C + c, sums, F * k);
                for (int64_t h = 0; h < groups; h += runs[h])
                    OF_REAL(ffm_add)(sums + fields[h] * k, gx, blocks + h * k, runs[h] * k);
            }
        }
    }
}
