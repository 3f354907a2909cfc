/* A value of a batch, where what sums of gradients need of it lies together. */
typedef struct {
    INDEX feature;
    uint32_t row;
    REAL x;
} NAME(fm_entry);

/* fm_partition: the entries of rows [begin, end), which are a block, sorted by the part of their
 * feature; inside a part they stay in row order. Explicit zeros are no entries. */
static void NAME(fm_partition)(const batch_data *B, int64_t block, int64_t begin, int64_t end)
{
    const INDEX *indptr = (const INDEX *)B->X.indptr, *indices = (const INDEX *)B->X.indices;
    const DATA *data = (const DATA *)B->X.data;
    const int hash_bits = B->hash_bits;
    const int64_t n_parts = B->n_parts, first = indptr[begin];
    NAME(fm_entry) *entries = (NAME(fm_entry) *)B->entries;
    int64_t *at = B->part_begin + block * (n_parts + 1);
    for (int64_t q = 0; q <= n_parts; q++)
        at[q] = 0;
    for (int64_t p = first; p < indptr[end]; p++)
        at[part_of(indices[p], hash_bits)] += (REAL)data[p] != 0;
    places_of_parts(at, n_parts, first);
    for (int64_t i = begin; i < end; i++)
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
            const REAL x = (REAL)data[p];
            if (x != 0)
                entries[at[part_of(indices[p], hash_bits)]++] =
                    (NAME(fm_entry)){indices[p], (uint32_t)i, x};
        }
    begins_of_parts(at, n_parts, first);
}
