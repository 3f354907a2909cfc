/* ffm_partition: the features of rows [begin, end), which are a block, numbered in order of appearance and
 * sorted by part. Explicit zeros do not count. A feature of a row that is too long to update its features
 * counts as if it were in another row too. */
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
        const int64_t n = indptr[i + 1] - indptr[i] <= B->max_update ? 1 : 2;
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
            const REAL x = (REAL)data[p];
            int is_new = 0;
            B->number_of[p] =
                x == 0 ? -1
                       : OF_REAL(number_feature)(table, indices[p], n, x < 0 ? -x : x, &is_new);
            at[part_of(indices[p], B->hash_bits)] += is_new;
        }
    }
    places_of_parts(at, n_parts, first);
    for (int32_t number = 0; number < table->n; number++) {
        const int64_t feature = table->features[number];
        B->features[at[part_of(feature, B->hash_bits)]++] =
            (block_feature){.feature = feature,
                            .largest = (double)((const REAL *)table->largest)[number],
                            .number = number,
                            .n_rows = table->counts[number]};
    }
    begins_of_parts(at, n_parts, first);
}
