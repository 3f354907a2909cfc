/* The visits of a relation (view.h): sums over the rows of a shared row b stand for the rows. With
 *
 *     r_i = q_i - q_b,     h_i = x_b (r_i + d),     d = q_b - x_b v_j
 *
 * the sums of column j over all rows are those of its shared rows,
 *
 *     A += x^2 (RR + r d' + d r' + C d d')     g += x (ER + E d)     s += x^2 (r + C d)
 *
 * and a step changes e of each row by t + <r_i, x dv>, with t = x dw + x <d, dv>, so
 *
 *     E += C t + x <r, dv>     ER += t r + x RR dv     T += t     q_b += x dv
 *
 * A record of a shared row, SHARED_SIZE(width) numbers: RR = sum c r r' (width, width), all of it; r =
 * sum c r; ER = sum c e r; q_b as it was at first; then C = sum c, E = sum c e, and T, and padding.
 * Template parameters: those of widths.inc.h. */
#define RECORD_R (BLOCK_WIDTH * BLOCK_WIDTH)
#define RECORD_ER (RECORD_R + BLOCK_WIDTH)
#define RECORD_Q (RECORD_ER + BLOCK_WIDTH)
#define RECORD_LAST (RECORD_Q + BLOCK_WIDTH)

/* The sums over `rows`, n rows of the plan, of a shared row whose q is q_b; view is that of all columns. */
static void BLOCK_NAME(gather_rows)(const column_view *view, const int32_t *rows, int64_t n,
                                    const REAL *q_b, REAL *RESTRICT record)
{
    const REAL *e = view->residuals, *weights = view->weights;
    const BLOCK_VEC first = OP(_load)(q_b);
    BLOCK_VEC sum_r = OP(_zero)(), sum_er = OP(_zero)();
    REAL sum_c = 0, sum_e = 0;
    BLOCK_NAME(column_run) run;
    memset(record, 0, SHARED_SIZE(BLOCK_WIDTH) * sizeof(REAL));
    OP(_store)(record + RECORD_Q, first);
    for (int64_t p = 0; p < n; p += COLUMN_RUN) {
        const int m = (int)min_i64(COLUMN_RUN, n - p);
        for (int t = 0; t < m; t++) {
            const int64_t i = rows[p + t], ahead = rows[min_i64(p + t + ROWS_AHEAD, n - 1)];
            const REAL c = weights ? weights[i] : 1;
            const REAL *q = (const REAL *)view->sums + i * BLOCK_WIDTH;
            const BLOCK_VEC r = OP(_sub)(OP(_load)(q), first), cr = OP(_mul)(OP(_broadcast)(c), r);
            REAL *row = run.rows + t * BLOCK_WIDTH, *weighted = run.weighted + t * BLOCK_WIDTH;
            PREFETCH_L1((uintptr_t)((const REAL *)view->sums + ahead * BLOCK_WIDTH));
            OP(_store)(row, r);
            OP(_store)(weighted, cr);
            run.h[t] = row;
            run.ch[t] = weighted;
            sum_r = OP(_add)(sum_r, cr);
            sum_er = OP(_add)(sum_er, OP(_mul)(OP(_broadcast)(e[i]), cr));
            sum_c += c;
            sum_e += c * e[i];
        }
        BLOCK_NAME(gram)(run.h, run.ch, m, record);
    }
    for (int a = 0; a < BLOCK_WIDTH; a++)
        for (int b = 0; b < a; b++)
            record[a * BLOCK_WIDTH + b] = record[b * BLOCK_WIDTH + a];
    OP(_store)(record + RECORD_R, sum_r);
    OP(_store)(record + RECORD_ER, sum_er);
    record[RECORD_LAST] = sum_c;
    record[RECORD_LAST + 1] = sum_e;
}

/* Brings e and q of the rows of a shared row up to date, at the end of its relation's visits. */
static void BLOCK_NAME(spread_rows)(const column_view *view, const int32_t *rows, int64_t n,
                                    const REAL *q_b, const REAL *record)
{
    REAL *e = view->residuals;
    const BLOCK_VEC before = OP(_load)(record + RECORD_Q), now = OP(_load)(q_b);
    const BLOCK_VEC change = OP(_sub)(now, before);
    for (int64_t p = 0; p < n; p++) {
        const int64_t i = rows[p], ahead = rows[min_i64(p + ROWS_AHEAD, n - 1)];
        REAL *q = (REAL *)view->sums + i * BLOCK_WIDTH;
        const BLOCK_VEC r = OP(_sub)(OP(_load)(q), before);
        PREFETCH_L1((uintptr_t)((const REAL *)view->sums + ahead * BLOCK_WIDTH));
        e[i] += record[RECORD_LAST + 2] + OP(_sum)(OP(_mul)(r, change));
        OP(_store)(q, OP(_add)(r, now));
    }
}

/* As column_sums, over shared rows. */
static void BLOCK_NAME(relation_sums)(const column_view *view, int64_t column, int64_t begin,
                                      int64_t end, REAL *RESTRICT part)
{
    const BLOCK_VEC v = OP(_load)((const REAL *)view->V + column * view->stride + view->first);
    REAL *g = part + BLOCK_WIDTH * BLOCK_WIDTH, *s = g + BLOCK_WIDTH, *last = s + BLOCK_WIDTH;
    for (int64_t p = begin; p < end; p++) {
        const int64_t b = view->rows[p];
        const REAL *record = (const REAL *)view->shared + b * SHARED_SIZE(BLOCK_WIDTH);
        const REAL *r = record + RECORD_R, *lasts = record + RECORD_LAST;
        const REAL x = view->values ? ((const REAL *)view->values)[p] : 1;
        const BLOCK_VEC xs = OP(_broadcast)(x), xx = OP(_broadcast)(x * x);
        const BLOCK_VEC d =
            OP(_sub)(OP(_load)((const REAL *)view->sums + b * BLOCK_WIDTH), OP(_mul)(xs, v));
        const BLOCK_VEC r_all = OP(_load)(r);
        const BLOCK_VEC rest = OP(_add)(r_all, OP(_mul)(OP(_broadcast)(lasts[0]), d));
        REAL ds[BLOCK_WIDTH];
        OP(_store)(ds, d);
        for (int a = 0; a < BLOCK_WIDTH; a++) {
            const BLOCK_VEC row = OP(_add)(
                OP(_load)(record + a * BLOCK_WIDTH),
                OP(_add)(OP(_mul)(OP(_broadcast)(r[a]), d), OP(_mul)(OP(_broadcast)(ds[a]), rest)));
            REAL *to = part + a * BLOCK_WIDTH;
            OP(_store)(to, OP(_add)(OP(_load)(to), OP(_mul)(xx, row)));
        }
        OP(_store)(g, OP(_add)(OP(_load)(g),
                               OP(_mul)(xs, OP(_add)(OP(_load)(record + RECORD_ER),
                                                     OP(_mul)(OP(_broadcast)(lasts[1]), d)))));
        OP(_store)(s, OP(_add)(OP(_load)(s), OP(_mul)(xx, rest)));
        last[0] += x * x * lasts[0];
        last[1] += x * lasts[1];
    }
}

/* As column_apply: brings the records and q of the shared rows up to date. */
static void BLOCK_NAME(relation_apply)(const column_view *view, int64_t begin, int64_t end,
                                       const REAL *RESTRICT step)
{
    const BLOCK_VEC dv = OP(_load)(step), v = OP(_load)(step + BLOCK_WIDTH);
    const REAL dw = step[2 * BLOCK_WIDTH];
    for (int64_t p = begin; p < end; p++) {
        const int64_t b = view->rows[p];
        REAL *record = (REAL *)view->shared + b * SHARED_SIZE(BLOCK_WIDTH);
        REAL *q = (REAL *)view->sums + b * BLOCK_WIDTH, *lasts = record + RECORD_LAST;
        const REAL x = view->values ? ((const REAL *)view->values)[p] : 1;
        const BLOCK_VEC xs = OP(_broadcast)(x), change = OP(_mul)(xs, dv);
        const BLOCK_VEC d = OP(_sub)(OP(_load)(q), OP(_mul)(xs, v));
        const BLOCK_VEC r = OP(_load)(record + RECORD_R);
        const REAL t = x * dw + OP(_sum)(OP(_mul)(d, change));
        BLOCK_VEC er = OP(_add)(OP(_load)(record + RECORD_ER), OP(_mul)(OP(_broadcast)(t), r));
        REAL changes[BLOCK_WIDTH];
        OP(_store)(changes, change);
        for (int a = 0; a < BLOCK_WIDTH; a++)
            er = OP(_add)(
                er, OP(_mul)(OP(_broadcast)(changes[a]), OP(_load)(record + a * BLOCK_WIDTH)));
        OP(_store)(record + RECORD_ER, er);
        OP(_store)(q, OP(_add)(OP(_load)(q), change));
        lasts[1] += lasts[0] * t + OP(_sum)(OP(_mul)(r, change));
        lasts[2] += t;
    }
}
#undef RECORD_R
#undef RECORD_ER
#undef RECORD_Q
#undef RECORD_LAST
