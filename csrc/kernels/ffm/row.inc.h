/* One row of an FFM, its values grouped by field (fields in order of first appearance, values of a
 * field in row order; explicit zeros left out). */
typedef struct {
    int64_t n_values, n_groups;
    /* per value: j, offset of V[j] in V, offset of its field in any V[i], place in indices and
     * data, x */
    int64_t *column, *block, *field_offset, *position;
    REAL *x;
    /* per group: its first value (n_groups + 1), its field as an offset, its place in a row of S */
    int64_t *group_begin, *field, *at;
    int32_t *group_of; /* per field of the model: its group, or -1 */
    REAL *sums;        /* S: ffm_scratch_vectors times n_factors */
    int32_t *field_at; /* per value as stored, with zeros: its field */
    int64_t *size;     /* n_values and n_groups, for who finds the row in its scratch */
} NAME(ffm_row);

/* Places everything in scratch of ffm_scratch_bytes, which begins with group_of; the driver has filled
 * that with -1, and ffm_load leaves it so. */
static void NAME(ffm_row_place)(NAME(ffm_row) * row, void *scratch, int64_t max_row,
                                int64_t n_fields)
{
    int64_t *next = (int64_t *)scratch;
    row->group_of = (int32_t *)next, next += (n_fields + 1) / 2;
    row->size = next, next += 2;
    row->column = next, next += max_row;
    row->block = next, next += max_row;
    row->field_offset = next, next += max_row;
    row->position = next, next += max_row;
    row->x = (REAL *)next, next += max_row;
    row->group_begin = next, next += max_row + 1;
    row->field = next, next += max_row;
    row->at = next, next += max_row;
    row->field_at = (int32_t *)next, next += max_row;
    row->sums = (REAL *)next;
}

/* The blocks of the row to come, prefetched one for each value of the present row. */
typedef struct {
    const void *indices;
    fastfm_type index_type;
    int straddles;
    int64_t first, n, block_bytes, n_outputs;
    const int32_t *fields;
    const REAL *w, *V;
} NAME(ffm_prefetch);

FORCE_INLINE void NAME(ffm_prefetch_value)(const NAME(ffm_prefetch) * next, int64_t a)
{
    if (a >= next->n)
        return;
    const int64_t j = index_at(next->indices, next->index_type, next->first + a);
    const int into_L2 = ffm_prefetches_into_L2;
    prefetch_row(next->V, j, next->n_outputs * next->block_bytes, next->block_bytes,
                 next->straddles, into_L2);
    prefetch_row(next->w, j, next->n_outputs * (int64_t)sizeof(REAL), sizeof(REAL), 0, into_L2);
    prefetch_row(next->fields, j, sizeof(int32_t), sizeof(int32_t), 0, into_L2);
}

/* Whole blocks, as far as they fit the cache. */
FORCE_INLINE NAME(ffm_prefetch)
    NAME(ffm_prefetch_after)(const NAME(ffm_row) * row, const fastfm_csr *X,
                             const fastfm_model *ffm, int64_t i, int64_t c)
{
    const int64_t end = index_at(X->indptr, X->index_type, i + 1);
    const int64_t block = ffm->n_fields * ffm->n_factors;
    NAME(ffm_prefetch) next;
    next.indices = X->indices;
    next.index_type = X->index_type;
    next.first = end;
    next.block_bytes = block * (int64_t)sizeof(REAL);
    next.n = min_i64(min_i64(row->n_values, X->nnz - end), FFM_PREFETCH_BYTES / next.block_bytes);
    if (!ffm_prefetches_blocks(row->n_groups, ffm->n_fields))
        next.n = 0;
    next.n_outputs = ffm->n_outputs;
    next.straddles = prefetch_straddles(ffm->V, next.block_bytes, next.block_bytes);
    next.fields = ffm->fields;
    next.w = (const REAL *)ffm->w + c;
    next.V = (const REAL *)ffm->V + c * block;
    return next;
}
