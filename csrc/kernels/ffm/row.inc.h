/* One row of an FFM with its values grouped by field, and the prefetch of the row to come.
 *
 * Words:
 *   value a    a stored value that is not zero, in the order of groups; n_values of them
 *   group g    the values of one field; n_groups of them, in order of first appearance, and the
 *              values of a group in row order
 *   offset     a distance in numbers (not bytes) from the start of V, or of any V[j, c]
 *   S          field sums: S[g, h] = sum_{i in g} V[i, h] x_i, a vector of k numbers
 *
 * Template parameters: REAL, NAME (instantiate.inc.h). Sizes: C, k, F as in table.h. */
typedef struct {
    int64_t n_values, n_groups;
    /* per value */
    int64_t *column;       /* its feature j */
    int64_t *V_offset;     /* of V[j, 0] in V: j * feature_stride */
    int64_t *field_offset; /* of its field in any V[j, c]: field * k */
    int64_t *position;     /* in indices and data */
    REAL *x;
    /* per group */
    int64_t *group_begin; /* (n_groups + 1,) its first value */
    int64_t *field;       /* its field, as an offset: field * k */
    int64_t *at;          /* by field sums: where S[., g] lies in a row of S */
    /* others */
    int32_t *group_of; /* (F,) the group of a field of the model, or -1; all -1 between calls */
    REAL *sums;        /* (ffm_scratch_vectors, k) S */
    int32_t *field_at; /* per stored value, with zeros: its field */
    int64_t *size; /* (2,) n_values and n_groups, for a later call that finds the row in scratch */
} NAME(ffm_row);

/* Places the arrays in scratch: ffm_scratch_bytes(max_row, n_fields, k) bytes, aligned to 8. It
 * begins with group_of, which the driver has filled with -1 once and ffm_load leaves so. */
static void NAME(ffm_row_place)(NAME(ffm_row) * row, void *scratch, int64_t max_row,
                                int64_t n_fields)
{
    int64_t *next = (int64_t *)scratch;
    row->group_of = (int32_t *)next, next += (n_fields + 1) / 2;
    row->size = next, next += 2;
    row->column = next, next += max_row;
    row->V_offset = next, next += max_row;
    row->field_offset = next, next += max_row;
    row->position = next, next += max_row;
    row->x = (REAL *)next, next += max_row;
    row->group_begin = next, next += max_row + 1;
    row->field = next, next += max_row;
    row->at = next, next += max_row;
    row->field_at = (int32_t *)next, next += max_row;
    row->sums = (REAL *)next;
}

/* The values of the next row whose parameters are still to be prefetched, for one output: one for
 * each value of the present row. */
typedef struct {
    const void *indices;
    fastfm_type index_type;
    int straddles;
    int64_t first, n;     /* values [first, first + n) of X */
    int64_t output_bytes; /* of V[j, c]: F k numbers */
    int64_t n_outputs;
    const int32_t *fields;
    const REAL *w, *V; /* of this output */
} NAME(ffm_prefetch);

/* Prefetches w, V and the field of the next row's a-th value, if it has one. */
FORCE_INLINE void NAME(ffm_prefetch_value)(const NAME(ffm_prefetch) * next, int64_t a)
{
    if (a >= next->n)
        return;
    const int64_t j = index_at(next->indices, next->index_type, next->first + a);
    const int into_L2 = ffm_prefetches_into_L2;
    prefetch_row(next->V, j, next->n_outputs * next->output_bytes, next->output_bytes,
                 next->straddles, into_L2);
    prefetch_row(next->w, j, next->n_outputs * (int64_t)sizeof(REAL), sizeof(REAL), 0, into_L2);
    prefetch_row(next->fields, j, sizeof(int32_t), sizeof(int32_t), 0, into_L2);
}

/* What is to be prefetched after row i for output c: at most FFM_PREFETCH_BYTES of V, and nothing
 * where rows use too little of it (ffm_prefetches_V). */
FORCE_INLINE NAME(ffm_prefetch)
    NAME(ffm_prefetch_after)(const NAME(ffm_row) * row, const fastfm_csr *X,
                             const fastfm_model *ffm, int64_t i, int64_t c)
{
    const int64_t end = index_at(X->indptr, X->index_type, i + 1);
    const int64_t output_stride = ffm->n_fields * ffm->n_factors;
    NAME(ffm_prefetch) next;
    next.indices = X->indices;
    next.index_type = X->index_type;
    next.first = end;
    next.output_bytes = output_stride * (int64_t)sizeof(REAL);
    next.n = min_i64(min_i64(row->n_values, X->nnz - end), FFM_PREFETCH_BYTES / next.output_bytes);
    if (!ffm_prefetches_V(row->n_groups, ffm->n_fields))
        next.n = 0;
    next.n_outputs = ffm->n_outputs;
    next.straddles = prefetch_straddles(ffm->V, next.output_bytes, next.output_bytes);
    next.fields = ffm->fields;
    next.w = (const REAL *)ffm->w + c;
    next.V = (const REAL *)ffm->V + c * output_stride;
    return next;
}
