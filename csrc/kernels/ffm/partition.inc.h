/* ffm_partition: the features of rows [begin, end), which are a block, numbered in order of appearance and
 * sorted by part. Explicit zeros do not count. */
static void NAME(ffm_partition)(const batch_data *B, int64_t block, int64_t begin, int64_t end,
                                thread_data *own)
{
    const INDEX *indptr = (const INDEX *)B->X.indptr, *indices = (const INDEX *)B->X.indices;
    const DATA *data = (const DATA *)B->X.data;
    const int64_t n_parts = B->n_parts, first = indptr[begin];
    feature_table *table = &own->table;
    int64_t *at = B->part_begin + block * (n_parts + 1);
    for (int64_t q = 0; q <= n_parts; q++)
        at[q] = 0;
    clear_table(table, indptr[end] - first);
    for (int64_t i = begin; i < end; i++) {
        const int is_long = indptr[i + 1] - indptr[i] > B->max_update;
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
            const REAL x = (REAL)data[p];
            feature_record *record;
            B->number_of[p] = -1;
            if (x == 0)
                continue;
            record = count_feature(table, indices[p], x < 0 ? -x : x, 1);
            record->is_summed |= is_long;
            B->number_of[p] = record->number;
            at[part_of(indices[p], B->hash_bits)] += record->n_rows == 1;
        }
    }
    places_of_parts(at, n_parts, first);
    for (int64_t number = 0; number < table->n; number++)
        B->features[at[part_of(table->records[number].feature, B->hash_bits)]++] =
            table->records[number];
    begins_of_parts(at, n_parts, first);
}
