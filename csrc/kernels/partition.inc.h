/* Row i as ffm_score left it. */
static OF_REAL(ffm_row) NAME(ffm_kept_row)(const batch_data *B, int64_t i)
{
    const INDEX *indptr = (const INDEX *)B->X.indptr;
    int64_t *memory = (int64_t *)B->kept + ffm_kept_words(indptr[i], i);
    OF_REAL(ffm_row) row;
    OF_REAL(ffm_row_keep)(&row, memory, indptr[i + 1] - indptr[i]);
    row.n_values = memory[0];
    row.n_groups = memory[1];
    return row;
}

/* partition: the entries of rows [begin, end), which are a block, sorted by the part of their
 * feature; inside a part they stay in row order. Explicit zeros are no entries. Parts go by a hash, and
 * in an FFM by the field first; its rows have been scored. */
static void NAME(partition)(const batch_data *B, int64_t block, int64_t begin, int64_t end)
{
    const INDEX *indptr = (const INDEX *)B->X.indptr, *indices = (const INDEX *)B->X.indices;
    const DATA *data = (const DATA *)B->X.data;
    const int hash_bits = B->hash_bits, has_fields = B->model->fields != NULL;
    const int32_t *part_of_field = B->part_of_field;
    const int64_t n_parts = B->n_parts, first = indptr[begin];
    int64_t *at = B->part_begin + block * (n_parts + 1);
#define PART(p)                                                                          \
    ((has_fields ? (int64_t)part_of_field[field_at[(p) - indptr[i]]] << hash_bits : 0) | \
     part_of(indices[p], hash_bits))
    for (int64_t q = 0; q <= n_parts; q++)
        at[q] = 0;
    for (int64_t i = begin; i < end; i++) {
        const int32_t *field_at = has_fields ? NAME(ffm_kept_row)(B, i).field_at : NULL;
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++)
            at[PART(p)] += (REAL)data[p] != 0;
    }
    for (int64_t q = 0, next = first; q <= n_parts; q++) {
        const int64_t count = at[q];
        at[q] = next; /* where the part's next entry goes; at last, where the next part begins */
        next += count;
    }
    for (int64_t i = begin; i < end; i++) {
        const int32_t *field_at = has_fields ? NAME(ffm_kept_row)(B, i).field_at : NULL;
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++)
            if ((REAL)data[p] != 0)
                B->entries[at[PART(p)]++] = (batch_entry){indices[p], (uint32_t)p, (uint32_t)i};
    }
#undef PART
    for (int64_t q = n_parts; q > 0; q--)
        at[q] = at[q - 1];
    at[0] = first;
}
