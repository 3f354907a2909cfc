/* column_apply: after a step, for the rows of values [begin, end),
 *
 *     e += x dw + <h, dv>,     q += x dv,     h = x (q - x v) with v as it was
 *
 *   step  (2 BLOCK_WIDTH + 1,) dv, the old v, dw
 * Template parameters: those of widths.inc.h. */
static void BLOCK_NAME(column_apply)(const column_view *view, int64_t begin, int64_t end,
                                     const REAL *RESTRICT step)
{
    const BLOCK_VEC d = OP(_load)(step), v = OP(_load)(step + BLOCK_WIDTH);
    const REAL dw = step[2 * BLOCK_WIDTH], *values = view->values;
    REAL *e = view->residuals;
    for (int64_t p = begin; p < end; p++) {
        const int64_t i = view->rows[p];
        REAL *row = (REAL *)view->sums + i * BLOCK_WIDTH;
        const BLOCK_VEC q = OP(_load)(row);
        BLOCK_VEC change = d, h = OP(_sub)(q, v);
        REAL x = 1;
        BLOCK_NAME(fetch_row)(view, p);
        if (values) {
            const BLOCK_VEC xs = OP(_broadcast)(values[p]);
            x = values[p];
            change = OP(_mul)(xs, d);
            h = OP(_mul)(xs, OP(_sub)(q, OP(_mul)(xs, v)));
        }
        e[i] += x * dw + OP(_sum)(OP(_mul)(h, d));
        if (view->keeps_sums)
            OP(_store)(row, OP(_add)(q, change));
    }
}
