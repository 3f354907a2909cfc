/* column_row_sums: q_i = sum_j x_ij v_j over the factors of the block, for rows of the plan.
 *
 *   row_ids     the rows of X that they are, or NULL; see column_row_sums_kernel
 *   view->sums  takes them
 * Template parameters: REAL, DATA, INDEX. */
#define Q_AHEAD 32 /* values whose v_j are fetched ahead, also of later rows */
#define ROW_SUMS(width)                                                                    \
    for (int64_t i = begin; i < end; i++) {                                                \
        const int64_t row = row_ids ? row_ids[i] : i;                                      \
        VEC(width, ) q = VEC(width, _zero)();                                              \
        for (int64_t p = indptr[row]; p < indptr[row + 1]; p++) {                          \
            const int64_t ahead = indices[min_i64(p + Q_AHEAD, X->nnz - 1)];               \
            const VEC(width, ) x = VEC(width, _broadcast)((REAL)data[p]);                  \
            PREFETCH_L1((uintptr_t)(V + ahead * view->stride));                            \
            q = VEC(width, _add)(                                                          \
                q, VEC(width, _mul)(x, VEC(width, _load)(V + indices[p] * view->stride))); \
        }                                                                                  \
        VEC(width, _store)((REAL *)view->sums + i * (width), q);                           \
    }
static void NAME(column_row_sums)(const fastfm_csr *X, const int64_t *row_ids,
                                  const column_view *view, int64_t begin, int64_t end)
{
    const INDEX *indptr = X->indptr, *indices = X->indices;
    const DATA *data = X->data;
    const REAL *V = (const REAL *)view->V + view->first;
    if (view->width == 16)
        ROW_SUMS(16)
    else
        ROW_SUMS(8)
}
#undef ROW_SUMS
#undef Q_AHEAD
