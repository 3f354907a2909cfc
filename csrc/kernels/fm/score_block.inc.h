/* fm_panel_<width>x<vectors>: returns sum_f [ s_f^2 - sum_j (v_jf x_j)^2 ] over its factors for one
 * row of z values, writes s_f to sums unless NULL, and with w not NULL adds sum_j w_j x_j to
 * *linear. Rows of w are C apart, those of V stride.
 * Parameters of the value `distance` places on, in a later row too, are prefetched; `left` values
 * are left of X. */
#define PANEL_TYPE VEC(PANEL_WIDTH, )
#define OP(op) VEC(PANEL_WIDTH, op)
FORCE_INLINE REAL NAME(CONCAT(CONCAT(fm_panel_, PANEL_WIDTH), CONCAT(x, PANEL_VECTORS)))(
    const INDEX *RESTRICT indices, const DATA *RESTRICT data, int64_t z, int64_t distance,
    int64_t left, const REAL *RESTRICT w, int64_t C, const REAL *RESTRICT V, int64_t stride,
    REAL *RESTRICT sums, REAL *RESTRICT linear)
{
    PANEL_TYPE s[PANEL_VECTORS], q[PANEL_VECTORS];
    REAL total = 0;
    const int64_t row_bytes = stride * (int64_t)sizeof(REAL);
    const int64_t panel_bytes = PANEL_WIDTH * PANEL_VECTORS * (int64_t)sizeof(REAL);
    const int straddles = prefetch_straddles(V, row_bytes, panel_bytes);
    const int into_L2 = fm_prefetches_into_L2(panel_bytes);
    for (int b = 0; b < PANEL_VECTORS; b++)
        s[b] = q[b] = OP(_zero)();
    for (int64_t p = 0; p < z;) {
        const int64_t run_end = min_i64(p + RUN, z);
        PANEL_TYPE run_s[PANEL_VECTORS], run_q[PANEL_VECTORS];
        REAL run_linear = 0;
        for (int b = 0; b < PANEL_VECTORS; b++)
            run_s[b] = run_q[b] = OP(_zero)();
        for (; p < run_end; p++) {
            const int64_t next = indices[min_i64(p + distance, left - 1)];
            prefetch_row(V, next, row_bytes, panel_bytes, straddles, into_L2);
            if (w)
                prefetch_row(w, next, C * (int64_t)sizeof(REAL), sizeof(REAL), 0, into_L2);
            const REAL x = (REAL)data[p];
            if (x == 0) /* no entry, whatever the parameters are */
                continue;
            const int64_t j = indices[p];
            const REAL *v = V + j * stride;
            if (w)
                run_linear += w[j * C] * x;
            const PANEL_TYPE xs = OP(_broadcast)(x);
            for (int b = 0; b < PANEL_VECTORS; b++) {
                PANEL_TYPE t = OP(_mul)(OP(_load)(v + b * PANEL_WIDTH), xs);
                run_s[b] = OP(_add)(run_s[b], t);
                run_q[b] = OP(_add)(run_q[b], OP(_mul)(t, t));
            }
        }
        total += run_linear;
        for (int b = 0; b < PANEL_VECTORS; b++) {
            s[b] = OP(_add)(s[b], run_s[b]);
            q[b] = OP(_add)(q[b], run_q[b]);
        }
    }
    PANEL_TYPE pairs = OP(_sub)(OP(_mul)(s[0], s[0]), q[0]);
    for (int b = 1; b < PANEL_VECTORS; b++)
        pairs = OP(_add)(pairs, OP(_sub)(OP(_mul)(s[b], s[b]), q[b]));
    if (sums)
        for (int b = 0; b < PANEL_VECTORS; b++)
            OP(_store)(sums + b * PANEL_WIDTH, s[b]);
    *linear += total;
    return OP(_sum)(pairs);
}
#undef OP
#undef PANEL_TYPE
#undef PANEL_VECTORS
#undef PANEL_WIDTH
