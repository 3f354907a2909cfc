/* What ranking does over one factor block: sums of a row, an inner product, a multiple added.
 * Template parameters: instantiate.inc.h and factor_blocks.inc.h. */

/* s = sum of x_j v_j over z values, of the block's factors; v_j is V[j * k]. */
FORCE_INLINE void BLOCK_NAME(rank_sum)(const int32_t *indices, const REAL *data, int64_t z,
                                       const REAL *V, int64_t k, REAL *s)
{
    BLOCK_VEC sums[BLOCK_VECTORS];
    for (int b = 0; b < BLOCK_VECTORS; b++)
        sums[b] = OP(_zero)();
    for (int64_t p = 0; p < z; p++) {
        const BLOCK_VEC x = OP(_broadcast)(data[p]);
        const REAL *v = V + indices[p] * k;
        for (int b = 0; b < BLOCK_VECTORS; b++)
            sums[b] = OP(_add)(sums[b], OP(_mul)(OP(_load)(v + b * BLOCK_WIDTH), x));
    }
    for (int b = 0; b < BLOCK_VECTORS; b++)
        OP(_store)(s + b * BLOCK_WIDTH, sums[b]);
}

FORCE_INLINE REAL BLOCK_NAME(rank_dot)(const REAL *a, const REAL *b)
{
    BLOCK_VEC sum = OP(_mul)(OP(_load)(a), OP(_load)(b));
    for (int i = 1; i < BLOCK_VECTORS; i++)
        sum =
            OP(_add)(sum, OP(_mul)(OP(_load)(a + i * BLOCK_WIDTH), OP(_load)(b + i * BLOCK_WIDTH)));
    return OP(_sum)(sum);
}

/* y += g x. */
FORCE_INLINE void BLOCK_NAME(rank_add)(REAL *y, REAL g, const REAL *x)
{
    const BLOCK_VEC gs = OP(_broadcast)(g);
    for (int b = 0; b < BLOCK_VECTORS; b++) {
        const BLOCK_VEC t = OP(_mul)(OP(_load)(x + b * BLOCK_WIDTH), gs);
        OP(_store)(y + b * BLOCK_WIDTH, OP(_add)(OP(_load)(y + b * BLOCK_WIDTH), t));
    }
}
