/* fm_gradient_panel_<width>x<vectors>: the gradient of one row by its factors, and with grad_w not
 * NULL by w, of the features that are in `share` of n_shares shares.
 *
 * indices, data: the row's z values. distance, left: how many values ahead rows of V are prefetched,
 * and how many values are left in X from the row's first on. g: the row's loss gradient; g_linear:
 * the same for the linear part. sums: (factors,), s_f of the row. V, grad_V: at these factors of
 * feature 0, features stride apart. w, grad_w: C apart. */
#define PANEL_TYPE VEC(PANEL_WIDTH, )
#define OP(op) VEC(PANEL_WIDTH, op)
FORCE_INLINE void NAME(CONCAT(CONCAT(fm_gradient_panel_, PANEL_WIDTH), CONCAT(x, PANEL_VECTORS)))(
    const INDEX *RESTRICT indices, const DATA *RESTRICT data, int64_t z, int64_t distance,
    int64_t left, int64_t share, int64_t n_shares, REAL g, REAL g_linear,
    const REAL *RESTRICT sums, const REAL *RESTRICT V, int64_t stride, REAL *RESTRICT grad_w,
    int64_t C, REAL *RESTRICT grad_V)
{
    const int64_t row_bytes = stride * (int64_t)sizeof(REAL);
    const int64_t panel_bytes = PANEL_WIDTH * PANEL_VECTORS * (int64_t)sizeof(REAL);
    const int straddles = prefetch_straddles(V, row_bytes, panel_bytes);
    const int into_L2 = fm_prefetches_into_L2(panel_bytes);
    PANEL_TYPE s[PANEL_VECTORS];
    for (int b = 0; b < PANEL_VECTORS; b++)
        s[b] = OP(_load)(sums + b * PANEL_WIDTH);
    for (int64_t p = 0; p < z; p++) {
        const int64_t next = indices[min_i64(p + distance, left - 1)], j = indices[p];
        if (n_shares == 1 || feature_share(next, n_shares) == share) {
            prefetch_row(grad_V, next, row_bytes, panel_bytes, straddles, into_L2);
            if (n_shares > 1) /* else this thread scored the row a moment ago: V is in its cache */
                prefetch_row(V, next, row_bytes, panel_bytes, straddles, into_L2);
            if (grad_w)
                prefetch_row(grad_w, next, C * (int64_t)sizeof(REAL), sizeof(REAL), 0, into_L2);
        }
        const REAL x = (REAL)data[p];
        if (x == 0 || (n_shares > 1 && feature_share(j, n_shares) != share))
            continue;
        const REAL *v = V + j * stride;
        REAL *grad_v = grad_V + j * stride;
        const PANEL_TYPE xs = OP(_broadcast)(x), gx = OP(_broadcast)(g * x);
        if (grad_w)
            grad_w[j * C] += g_linear * x;
        for (int b = 0; b < PANEL_VECTORS; b++) {
            PANEL_TYPE rest = OP(_sub)(s[b], OP(_mul)(OP(_load)(v + b * PANEL_WIDTH), xs));
            PANEL_TYPE sum = OP(_add)(OP(_load)(grad_v + b * PANEL_WIDTH), OP(_mul)(gx, rest));
            OP(_store)(grad_v + b * PANEL_WIDTH, sum);
        }
    }
}
#undef OP
#undef PANEL_TYPE
#undef PANEL_VECTORS
#undef PANEL_WIDTH
