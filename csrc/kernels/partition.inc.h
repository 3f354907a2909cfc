/* partition: the entries of rows [begin, end), which are a block, sorted by the part of their
 * feature; inside a part they stay in row order. Explicit zeros are no entries. */
static void NAME(partition)(const batch_data *B, int64_t block, int64_t begin, int64_t end)
{
    const INDEX *indptr = (const INDEX *)B->X.indptr, *indices = (const INDEX *)B->X.indices;
    const DATA *data = (const DATA *)B->X.data;
    const int64_t n_parts = B->n_parts, first = indptr[begin], last = indptr[end];
    int64_t *at = B->part_begin + block * (n_parts + 1);
    for (int64_t q = 0; q <= n_parts; q++)
        at[q] = 0;
    for (int64_t p = first; p < last; p++)
        at[part_of(indices[p], B->part_bits)] += (REAL)data[p] != 0;
    for (int64_t q = 0, next = first; q <= n_parts; q++) {
        const int64_t count = at[q];
        at[q] = next; /* where the part's next entry goes; at last, where the next part begins */
        next += count;
    }
    for (int64_t i = begin; i < end; i++) {
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
            const int64_t feature = indices[p];
            if ((REAL)data[p] == 0)
                continue;
            B->entries[at[part_of(feature, B->part_bits)]++] =
                (batch_entry){feature, (uint32_t)p, (uint32_t)i};
        }
    }
    for (int64_t q = n_parts; q > 0; q--)
        at[q] = at[q - 1];
    at[0] = first;
}
