/* Rows of contexts and items under the parameters of a batch: their sums and their scores alone,
 *
 *     s_f = sum_j v_jf x_j,     score = sum_j w_j x_j + own pairs,
 *
 * where the own pairs, 1/2 (|s|^2 - sum_j |v_j x_j|^2), count only if the ranking says so.
 * Words and memory: recommend/rank.h. Template parameters: REAL, NAME (instantiate.inc.h). */

#ifndef PREFETCHED_FEATURES
#define PREFETCHED_FEATURES 8 /* of a row */
#endif

static void NAME(rank_sum)(const int32_t *indices, const REAL *data, int64_t z, const REAL *V,
                           int64_t k, REAL *s)
{
    int64_t f = 0;
#define SUM_BLOCK(width, vectors) \
    NAME(FACTOR_BLOCK(rank_sum, width, vectors))(indices, data, z, V + f, k, s + f)
    FOR_WIDE_FACTOR_BLOCKS(k, f, SUM_BLOCK)
#undef SUM_BLOCK
}

FORCE_INLINE REAL NAME(rank_dot)(const REAL *a, const REAL *b, int64_t k)
{
    REAL sum = 0;
    int64_t f = 0;
#define DOT_BLOCK(width, vectors) sum += NAME(FACTOR_BLOCK(rank_dot, width, vectors))(a + f, b + f)
    FOR_WIDE_FACTOR_BLOCKS(k, f, DOT_BLOCK)
#undef DOT_BLOCK
    return sum;
}

FORCE_INLINE void NAME(rank_add)(REAL *y, REAL g, const REAL *x, int64_t k)
{
    int64_t f = 0;
#define ADD_BLOCK(width, vectors) NAME(FACTOR_BLOCK(rank_add, width, vectors))(y + f, g, x + f)
    FOR_WIDE_FACTOR_BLOCKS(k, f, ADD_BLOCK)
#undef ADD_BLOCK
}

/* The sums of a row: in `room`, or for a row of one value of 1 the parameters themselves. *score is set
 * to its score alone, without w0. */
static const REAL *NAME(rank_row)(const rank_view *view, const fastfm_rank_rows *rows, int64_t row,
                                  REAL *room, REAL *score)
{
    const int64_t k = view->model->n_factors, begin = rows->indptr[row];
    const int64_t z = rows->indptr[row + 1] - begin;
    const int32_t *indices = rows->indices + begin;
    const REAL *data = (const REAL *)rows->data + begin, *V = (const REAL *)view->model->V;
    const REAL *w = (const REAL *)view->model->w;
    REAL linear = 0, squares = 0;
    for (int64_t p = 0; p < z; p++)
        linear += w[indices[p]] * data[p];
    *score = linear;
    if (z == 1 && data[0] == 1)
        return V + indices[0] * k;
    NAME(rank_sum)(indices, data, z, V, k, room);
    if (view->ranking->has_own_pairs && z > 1) {
        for (int64_t p = 0; p < z; p++) {
            const REAL *v = V + indices[p] * k;
            squares += NAME(rank_dot)(v, v, k) * (data[p] * data[p]);
        }
        *score += (REAL)0.5 * (NAME(rank_dot)(room, room, k) - squares);
    }
    return room;
}

/* The same of a row that is one value of 1: the parameters themselves. */
FORCE_INLINE const REAL *NAME(rank_column)(const rank_view *view, const fastfm_rank_rows *rows,
                                           int64_t row, REAL *score)
{
    const int64_t j = rows->indices[row];
    *score = ((const REAL *)view->model->w)[j];
    return (const REAL *)view->model->V + j * view->model->n_factors;
}

FORCE_INLINE const REAL *NAME(rank_context)(const rank_view *view, int64_t context, REAL *room,
                                            REAL *score)
{
    const fastfm_rank_rows *contexts = &view->ranking->contexts;
    return view->has_columns_of_contexts ? NAME(rank_column)(view, contexts, context, score)
                                         : NAME(rank_row)(view, contexts, context, room, score);
}

/* The sums and the score of an item, which may be cached. */
FORCE_INLINE const REAL *NAME(rank_item)(const rank_view *view, int64_t item, REAL *room,
                                         REAL *score)
{
    if (view->has_columns_of_items)
        return NAME(rank_column)(view, &view->ranking->items, item, score);
    if (!view->is_cached)
        return NAME(rank_row)(view, &view->ranking->items, item, room, score);
    *score = ((const REAL *)view->item_scores)[item];
    return (const REAL *)view->item_sums + item * view->model->n_factors;
}

/* Prefetches what rank_row and rank_item read; of a row's features only the first ones. */
FORCE_INLINE void NAME(prefetch_sums)(const rank_view *view, const fastfm_rank_rows *rows,
                                      int64_t row)
{
    const int64_t bytes = view->model->n_factors * (int64_t)sizeof(REAL);
    const int64_t begin = rows->indptr[row];
    const int64_t end = min_i64(rows->indptr[row + 1], begin + PREFETCHED_FEATURES);
    for (int64_t p = begin; p < end; p++) {
        const int64_t j = rows->indices[p];
        PREFETCH_L1((const REAL *)view->model->w + j);
        prefetch_row(view->model->V, j, bytes, bytes, 0, 0);
    }
}

FORCE_INLINE void NAME(prefetch_item)(const rank_view *view, int64_t item)
{
    const int64_t bytes = view->model->n_factors * (int64_t)sizeof(REAL);
    if (view->is_cached)
        prefetch_row(view->item_sums, item, bytes, bytes, 0, 0);
    else
        NAME(prefetch_sums)(view, &view->ranking->items, item);
}

/* Fills the cache for items [begin, end). */
static int NAME(rank_item_sums)(const rank_view *view, int64_t begin, int64_t end, void *scratch)
{
    const int64_t k = view->model->n_factors;
    (void)scratch;
    for (int64_t i = begin; i < end; i++) {
        REAL *room = (REAL *)view->item_sums + i * k;
        const REAL *s =
            NAME(rank_row)(view, &view->ranking->items, i, room, (REAL *)view->item_scores + i);
        if (s != room)
            memcpy(room, s, (size_t)k * sizeof *s);
    }
    return 1;
}
