/* <FM_SCORE>_<width>x<vectors>: the pair term of one row and output over one factor block,
 *
 *     sum_f [ s_f^2 - sum_j (v_jf x_j)^2 ],     s_f = sum_j v_jf x_j
 *
 *   indices, data  (z,) the row's values; (left,) are readable, to the end of X
 *   distance       how many values ahead parameters are prefetched, in later rows too
 *   w              NULL, or of this output: then sum_j w_j x_j is added to *linear; w_j is w[j * C]
 *   V              of this output and the block's first factor; v_j is V[j * feature_stride]
 *   s_out          NULL, or where the block's s_f are written
 * Template parameters: instantiate.inc.h, factor_blocks.inc.h and stored.inc.h. All sums of the block stay in
 * registers: s and q, and those of the present run. */
FORCE_INLINE REAL BLOCK_NAME(FM_SCORE)(const fastfm_model *fm, const INDEX *RESTRICT indices,
                                       const DATA *RESTRICT data, int64_t z, int64_t distance,
                                       int64_t left, const STORED_W *RESTRICT w, int64_t C,
                                       const STORED *RESTRICT V, int64_t feature_stride,
                                       REAL *RESTRICT s_out, REAL *RESTRICT linear)
{
    BLOCK_VEC s[BLOCK_VECTORS], q[BLOCK_VECTORS];
    REAL total = 0;
    (void)fm;
    const int64_t row_bytes = feature_stride * (int64_t)sizeof(STORED);
    const int64_t block_bytes = BLOCK_WIDTH * BLOCK_VECTORS * (int64_t)sizeof(STORED);
    const int straddles = prefetch_straddles(V, row_bytes, block_bytes);
    const int into_L2 = fm_prefetches_into_L2(block_bytes, IS_SMALL);
    for (int b = 0; b < BLOCK_VECTORS; b++)
        s[b] = q[b] = OP(_zero)();
    for (int64_t p = 0; p < z;) {
        const int64_t run_end = min_i64(p + RUN, z);
        BLOCK_VEC run_s[BLOCK_VECTORS], run_q[BLOCK_VECTORS];
        REAL run_linear = 0;
        for (int b = 0; b < BLOCK_VECTORS; b++)
            run_s[b] = run_q[b] = OP(_zero)();
        for (; p < run_end; p++) {
            const int64_t next = indices[min_i64(p + distance, left - 1)];
            prefetch_row(V, next, row_bytes, block_bytes, straddles, into_L2);
            if (w)
                prefetch_row(w, next, C * (int64_t)sizeof(STORED_W), sizeof(STORED_W), 0, into_L2);
            if (IS_SMALL && fm->small.scale_of)
                prefetch_row(fm->small.scale_of, next, sizeof(uint16_t), sizeof(uint16_t), 0, 1);
            const REAL x = (REAL)data[p];
            if (x == 0)
                continue;
            const int64_t j = indices[p];
            const STORED *v = V + j * feature_stride;
            if (w)
                run_linear += LOAD_W(w + j * C) * x;
            const BLOCK_VEC xs = OP(_broadcast)(x), scale = OP(_broadcast)(SCALE_OF(fm, j));
            (void)scale;
            for (int b = 0; b < BLOCK_VECTORS; b++) {
                BLOCK_VEC t = OP(_mul)(LOAD(v + b * BLOCK_WIDTH, scale), xs);
                run_s[b] = OP(_add)(run_s[b], t);
                run_q[b] = OP(_add)(run_q[b], OP(_mul)(t, t));
            }
        }
        /* The run is done: its sums are added to those of the row. */
        total += run_linear;
        for (int b = 0; b < BLOCK_VECTORS; b++) {
            s[b] = OP(_add)(s[b], run_s[b]);
            q[b] = OP(_add)(q[b], run_q[b]);
        }
    }
    BLOCK_VEC pairs = OP(_sub)(OP(_mul)(s[0], s[0]), q[0]);
    for (int b = 1; b < BLOCK_VECTORS; b++)
        pairs = OP(_add)(pairs, OP(_sub)(OP(_mul)(s[b], s[b]), q[b]));
    if (s_out)
        for (int b = 0; b < BLOCK_VECTORS; b++)
            OP(_store)(s_out + b * BLOCK_WIDTH, s[b]);
    *linear += total;
    return OP(_sum)(pairs);
}
