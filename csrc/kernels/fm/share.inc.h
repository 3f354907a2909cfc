/* fm_add_share: adds the gradients of one share's values over a batch, in row order,
 *
 *     dw_j += g x_j,     dv_jf += g x_j (s_f - v_jf x_j)
 *
 * to the rows of grad_w and grad_V themselves. The values have been sorted by fm_share_values, and the
 * additions are those of fm_gradient: so are the bits. A row with g = 0 adds nothing.
 * Contract: fm_share_kernel in update/batch.h.
 * Template parameters: REAL, NAME, OF_REAL, and DATA and INDEX for fm_value (instantiate.inc.h). */

/* A place among a share's values, which lie in one piece for each row block: the next value, the end of its
 * piece, and the row block of the piece that follows. */
typedef struct {
    int64_t at, end, block;
} NAME(share_place);

/* Whether there is a value at the place; moves it to the next row block that has one. */
FORCE_INLINE int NAME(find_share_value)(const batch_view *batch, int64_t share,
                                        NAME(share_place) * place)
{
    while (place->at == place->end && place->block < batch->n_blocks) {
        const int64_t *begin =
            batch->partition_begin + place->block++ * (batch->n_partitions + 1) + share;
        place->at = begin[0];
        place->end = begin[1];
    }
    return place->at < place->end;
}

/* The gradient of one value, of all outputs. */
FORCE_INLINE void NAME(fm_add_value)(const batch_view *batch, const NAME(fm_value) * value)
{
    const fastfm_model *fm = batch->model;
    const int64_t k = fm->n_factors, C = fm->n_outputs, feature = value->feature, row = value->row;
    const REAL x = value->x;
    REAL *grad_w = (REAL *)batch->updated.w + feature * C;
    for (int64_t c = 0; c < C; c++) {
        const REAL g = ((const REAL *)batch->dscores)[row * C + c];
        const REAL g_linear = batch->linear_scale ? g * (REAL)batch->linear_scale[row] : g;
        const REAL *s = (const REAL *)batch->s + (row * C + c) * k;
        const REAL *v = (const REAL *)fm->V + (feature * C + c) * k;
        REAL *grad_v = (REAL *)batch->updated.V + (feature * C + c) * k;
        int64_t f = 0;
        if (g == 0)
            continue;
        grad_w[c] += g_linear * x;
#define ADD_BLOCK(width, vectors) \
    OF_REAL(FACTOR_BLOCK(fm_add_gradient, width, vectors))(x, g * x, s + f, v + f, grad_v + f)
        FOR_WIDE_FACTOR_BLOCKS(k, f, ADD_BLOCK)
#undef ADD_BLOCK
    }
}

/* The kernel. V and the gradient of a value are prefetched `distance` values ahead. */
static void NAME(fm_add_share)(const batch_view *batch, int64_t share)
{
    const NAME(fm_value) *values = (const NAME(fm_value) *)batch->values;
    const fastfm_model *fm = batch->model;
    const int64_t row_bytes = feature_stride(fm) * (int64_t)sizeof(REAL);
    const int64_t w_bytes = fm->n_outputs * (int64_t)sizeof(REAL);
    const int64_t distance = prefetch_distance(2 * row_bytes);
    const int straddles = prefetch_straddles(fm->V, row_bytes, row_bytes);
    NAME(share_place) now = {0, 0, 0}, ahead = {0, 0, 0};
    int64_t n_ahead = 0;
    while (NAME(find_share_value)(batch, share, &now)) {
        for (; n_ahead <= distance && NAME(find_share_value)(batch, share, &ahead); n_ahead++) {
            const int64_t next = values[ahead.at++].feature;
            prefetch_row(batch->updated.V, next, row_bytes, row_bytes, straddles, 0);
            prefetch_row(fm->V, next, row_bytes, row_bytes, straddles, 0);
            prefetch_row(batch->updated.w, next, w_bytes, w_bytes, 0, 0);
        }
        n_ahead--;
        NAME(fm_add_value)(batch, &values[now.at++]);
    }
}
