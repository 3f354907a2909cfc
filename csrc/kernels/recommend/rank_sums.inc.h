/* Rows of contexts and items under the parameters of a batch: their sums and their scores alone,
 *
 *     s_f = sum_j v_jf x_j,     score = sum_j w_j x_j + own pairs,
 *
 * where the own pairs, 1/2 (|s|^2 - sum_j |v_j x_j|^2), count only if the ranking says so.
 * Words and memory: recommend/rank.h. Template parameters: REAL, NAME (instantiate.inc.h). */

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

/* The same of an item, which may be cached. */
FORCE_INLINE const REAL *NAME(rank_item)(const rank_view *view, int64_t item, REAL *room,
                                         REAL *score)
{
    if (!view->is_cached)
        return NAME(rank_row)(view, &view->ranking->items, item, room, score);
    *score = ((const REAL *)view->item_scores)[item];
    return (const REAL *)view->item_sums + item * view->model->n_factors;
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
