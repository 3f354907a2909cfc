/* column_sums: adds the sums over values [begin, end) of a column to a part (view.h),
 *
 *     A = sum c h h',  g = sum c e h,  s = sum c x h,  sum c x^2,  sum c x e,     h = x (q - x v)
 *
 * run by run: a run is summed from 0, and then added. Template parameters: those of widths.inc.h. */

/* What a run has of each row: e, x, c, and the places of h and c h. */
typedef struct {
    REAL e[COLUMN_RUN], x[COLUMN_RUN], c[COLUMN_RUN];
    REAL rows[COLUMN_RUN * BLOCK_WIDTH], weighted[COLUMN_RUN * BLOCK_WIDTH];
    const REAL *h[COLUMN_RUN], *ch[COLUMN_RUN];
} BLOCK_NAME(column_run);

/* Rows ahead of the present one whose e and q are fetched. */
#define ROWS_AHEAD 16

FORCE_INLINE void BLOCK_NAME(fetch_row)(const column_view *view, int64_t p)
{
    const int64_t i = view->rows[min_i64(p + ROWS_AHEAD, view->nnz - 1)];
    const uintptr_t q = (uintptr_t)((const REAL *)view->sums + i * BLOCK_WIDTH);
    PREFETCH_L1((uintptr_t)((const REAL *)view->residuals + i));
    for (size_t byte = 0; byte < BLOCK_WIDTH * sizeof(REAL); byte += CACHE_LINE)
        PREFETCH_L1(q + byte);
}

/* e, x and c of n rows from value p on. */
FORCE_INLINE void BLOCK_NAME(load_numbers)(const column_view *view, int64_t p, int n,
                                           BLOCK_NAME(column_run) * run)
{
    const REAL *e = view->residuals, *targets = view->targets;
    const REAL *values = view->values, *weights = view->weights;
    const int32_t *rows = view->rows + p;
    for (int t = 0; t < n; t++) {
        run->e[t] = e[rows[t]];
        run->x[t] = values ? values[p + t] : 1;
        run->c[t] = weights ? weights[rows[t]] : 1;
    }
    if (targets) {
        REAL labels[COLUMN_RUN];
        for (int t = 0; t < n; t++)
            labels[t] = targets[rows[t]];
        NAME(working)(run->e, labels, n);
    }
}

/* h and c h of them. */
FORCE_INLINE void BLOCK_NAME(load_rows)(const column_view *view, int64_t p, int n, const REAL *v,
                                        BLOCK_NAME(column_run) * run)
{
    const BLOCK_VEC v_all = OP(_load)(v);
    for (int t = 0; t < n; t++) {
        const REAL *q = (const REAL *)view->sums + (int64_t)view->rows[p + t] * BLOCK_WIDTH;
        const BLOCK_VEC x = OP(_broadcast)(run->x[t]);
        REAL *row = run->rows + t * BLOCK_WIDTH;
        BLOCK_NAME(fetch_row)(view, p + t);
        if (view->values)
            OP(_store)(row, OP(_mul)(x, OP(_sub)(OP(_load)(q), OP(_mul)(x, v_all))));
        else
            OP(_store)(row, OP(_sub)(OP(_load)(q), v_all));
        run->h[t] = run->ch[t] = row;
        if (view->weights) {
            run->ch[t] = run->weighted + t * BLOCK_WIDTH;
            OP(_store)(run->weighted + t * BLOCK_WIDTH,
                       OP(_mul)(OP(_broadcast)(run->c[t]), OP(_load)(row)));
        }
    }
}

/* Adds what n rows of a run say to a part. */
FORCE_INLINE void BLOCK_NAME(add_run)(const BLOCK_NAME(column_run) * run, int n,
                                      REAL *RESTRICT part)
{
    REAL *g = part + BLOCK_WIDTH * BLOCK_WIDTH, *s = g + BLOCK_WIDTH, *last = s + BLOCK_WIDTH;
    BLOCK_VEC sum_g = OP(_zero)(), sum_s = OP(_zero)();
    REAL xx = 0, xe = 0;
    BLOCK_NAME(gram)(run->h, run->ch, n, part);
    for (int t = 0; t < n; t++) {
        const BLOCK_VEC h = OP(_load)(run->ch[t]);
        const REAL cx = run->c[t] * run->x[t];
        sum_g = OP(_add)(sum_g, OP(_mul)(h, OP(_broadcast)(run->e[t])));
        sum_s = OP(_add)(sum_s, OP(_mul)(h, OP(_broadcast)(run->x[t])));
        xx += cx * run->x[t];
        xe += cx * run->e[t];
    }
    OP(_store)(g, OP(_add)(OP(_load)(g), sum_g));
    OP(_store)(s, OP(_add)(OP(_load)(s), sum_s));
    last[0] += xx;
    last[1] += xe;
}

static void BLOCK_NAME(column_sums)(const column_view *view, int64_t column, int64_t begin,
                                    int64_t end, REAL *RESTRICT part)
{
    const REAL *v = (const REAL *)view->V + column * view->stride + view->first;
    BLOCK_NAME(column_run) run;
    for (int64_t p = begin; p < end; p += COLUMN_RUN) {
        const int n = (int)min_i64(COLUMN_RUN, end - p);
        BLOCK_NAME(load_numbers)(view, p, n, &run);
        BLOCK_NAME(load_rows)(view, p, n, v, &run);
        BLOCK_NAME(add_run)(&run, n, part);
    }
}
