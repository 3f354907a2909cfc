/* The visits of a pair plan: a row is y of a column and its mate o, and
 *
 *     h = v_o,     t = y - w0 - w_o - <v_j, v_o> without the block,     e = w_j + <v_j, h> - t
 *
 * So e needs no place of its own: with part of e replaced by t, sum e = n w_j + <s, v_j> - sum t.
 * Template parameters: those of widths.inc.h. */

/* <a, b> over all factors but those of the block. */
FORCE_INLINE REAL BLOCK_NAME(other_blocks)(const column_view *view, const REAL *a, const REAL *b)
{
    REAL sum = 0;
    for (int64_t f = 0; f < view->stride; f += 8)
        if (f < view->first || f >= view->first + BLOCK_WIDTH)
            sum += VEC(8, _sum)(VEC(8, _mul)(VEC(8, _load)(a + f), VEC(8, _load)(b + f)));
    return sum;
}

static void BLOCK_NAME(pair_sums)(const column_view *view, int64_t column, int64_t begin,
                                  int64_t end, REAL *RESTRICT part)
{
    const REAL *V = view->V, *w = view->w, *y = view->targets, *v = V + column * view->stride;
    const REAL w0 = (REAL)view->w0;
    const int several = view->stride > BLOCK_WIDTH;
    BLOCK_NAME(column_run) run;
    for (int t = 0; t < COLUMN_RUN; t++)
        run.x[t] = run.c[t] = 1;
    for (int64_t p = begin; p < end; p += COLUMN_RUN) {
        const int n = (int)min_i64(COLUMN_RUN, end - p);
        for (int t = 0; t < n; t++) {
            const int64_t mate = view->rows[p + t];
            const int64_t ahead = view->rows[min_i64(p + t + COLUMN_RUN, view->nnz - 1)];
            const uintptr_t line = (uintptr_t)(V + ahead * view->stride + view->first);
            for (size_t byte = 0; byte < BLOCK_WIDTH * sizeof(REAL); byte += CACHE_LINE)
                PREFETCH_L1(line + byte);
            PREFETCH_L1((uintptr_t)(w + ahead));
            run.h[t] = run.ch[t] = V + mate * view->stride + view->first;
            run.e[t] = y[p + t] - w0 - w[mate];
            if (several)
                run.e[t] -= BLOCK_NAME(other_blocks)(view, v, V + mate * view->stride);
        }
        BLOCK_NAME(add_run)(&run, n, part);
    }
}

/* Turns the sum of t into that of e, and returns what the block's new factors are to be solved from:
 * writes g, sum h (t - w_j), once w_j is new. */
FORCE_INLINE void BLOCK_NAME(pair_total)(const column_view *view, int64_t column, REAL *part)
{
    const REAL *v = (const REAL *)view->V + column * view->stride + view->first;
    const REAL w = ((const REAL *)view->w)[column];
    REAL *s = part + BLOCK_WIDTH * (BLOCK_WIDTH + 1), *last = s + BLOCK_WIDTH;
    const REAL along = OP(_sum)(OP(_mul)(OP(_load)(s), OP(_load)(v)));
    last[1] = last[0] * w + along - last[1];
}
