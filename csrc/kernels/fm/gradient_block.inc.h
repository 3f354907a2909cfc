/* fm_gradient_<width>x<vectors>: adds the gradient of one row and output over one factor block,
 *
 *     dv_jf += g x_j (s_f - v_jf x_j),     and dw_j += g_linear x_j  unless grad_w is NULL
 *
 *   owned_begin, owned_end  the features that this call adds to
 *   is_shared        whether there are others, which are other threads'
 *   s_row, V         of this output and the block's first factor
 *   feature_stride   between rows of V, and between those of grad_V; C between those of grad_w
 *   others           as for fm_score_<width>x<vectors>
 * Template parameters: instantiate.inc.h and factor_blocks.inc.h. */
FORCE_INLINE void BLOCK_NAME(fm_gradient)(const INDEX *RESTRICT indices, const DATA *RESTRICT data,
                                          int64_t z, int64_t left, int64_t owned_begin,
                                          int64_t owned_end, int is_shared, REAL g, REAL g_linear,
                                          const REAL *RESTRICT s_row, const REAL *RESTRICT V,
                                          int64_t feature_stride, REAL *RESTRICT grad_w, int64_t C,
                                          REAL *RESTRICT grad_V)
{
    /* Unsigned, because a column ahead may not have been checked yet. */
    const uint64_t n_owned = (uint64_t)(owned_end - owned_begin);
    const int64_t row_bytes = feature_stride * (int64_t)sizeof(REAL);
    const int64_t block_bytes = BLOCK_WIDTH * BLOCK_VECTORS * (int64_t)sizeof(REAL);
    const int straddles = prefetch_straddles(V, row_bytes, block_bytes);
    const int into_L2 = fm_prefetches_into_L2(block_bytes, 0);
    /* s_f of the row stays in registers; each value then needs only its own v and gradient. */
    BLOCK_VEC s[BLOCK_VECTORS];
    for (int b = 0; b < BLOCK_VECTORS; b++)
        s[b] = OP(_load)(s_row + b * BLOCK_WIDTH);
    for (int64_t p = 0; p < z; p++) {
        const int64_t next = indices[min_i64(p + GRADIENT_DISTANCE, left - 1)], j = indices[p];
        if ((uint64_t)next - (uint64_t)owned_begin < n_owned) {
            prefetch_row(grad_V, next, row_bytes, block_bytes, straddles, into_L2);
            if (is_shared) /* else this thread has scored the row, and V is in its cache */
                prefetch_row(V, next, row_bytes, block_bytes, straddles, into_L2);
            if (grad_w)
                prefetch_row(grad_w, next, C * (int64_t)sizeof(REAL), sizeof(REAL), 0, into_L2);
        }
        const REAL x = (REAL)data[p];
        if ((uint64_t)j - (uint64_t)owned_begin >= n_owned || x == 0)
            continue;
        const REAL *v = V + j * feature_stride;
        REAL *grad_v = grad_V + j * feature_stride;
        const BLOCK_VEC xs = OP(_broadcast)(x), gx = OP(_broadcast)(g * x);
        if (grad_w)
            grad_w[j * C] += g_linear * x;
        for (int b = 0; b < BLOCK_VECTORS; b++) {
            BLOCK_VEC rest = OP(_sub)(s[b], OP(_mul)(OP(_load)(v + b * BLOCK_WIDTH), xs));
            BLOCK_VEC sum = OP(_add)(OP(_load)(grad_v + b * BLOCK_WIDTH), OP(_mul)(gx, rest));
            OP(_store)(grad_v + b * BLOCK_WIDTH, sum);
        }
    }
}
