/* The kernels of columns, by the width of the block, and the residuals of a pair plan. Template
 * parameters: REAL, LEVEL. */
static void NAME(column_sums)(const column_view *view, int64_t column, int64_t begin, int64_t end,
                              void *part)
{
    if (!view->residuals && view->width == 16)
        NAME(pair_sums_16x1)(view, column, begin, end, (REAL *)part);
    else if (!view->residuals)
        NAME(pair_sums_8x1)(view, column, begin, end, (REAL *)part);
    else if (view->shared && view->width == 16)
        NAME(relation_sums_16x1)(view, column, begin, end, (REAL *)part);
    else if (view->shared)
        NAME(relation_sums_8x1)(view, column, begin, end, (REAL *)part);
    else if (view->width == 16)
        NAME(column_sums_16x1)(view, column, begin, end, (REAL *)part);
    else
        NAME(column_sums_8x1)(view, column, begin, end, (REAL *)part);
}

static void NAME(column_solve)(const column_view *view, int64_t column, void *part, void *step)
{
    if (view->width == 16)
        NAME(column_solve_16x1)(view, column, (REAL *)part, (REAL *)step);
    else
        NAME(column_solve_8x1)(view, column, (REAL *)part, (REAL *)step);
}

static void NAME(column_apply)(const column_view *view, int64_t begin, int64_t end,
                               const void *step)
{
    if (view->shared && view->width == 16)
        NAME(relation_apply_16x1)(view, begin, end, (const REAL *)step);
    else if (view->shared)
        NAME(relation_apply_8x1)(view, begin, end, (const REAL *)step);
    else if (view->width == 16)
        NAME(column_apply_16x1)(view, begin, end, (const REAL *)step);
    else
        NAME(column_apply_8x1)(view, begin, end, (const REAL *)step);
}

static void NAME(relation_gather)(const column_view *view, const int32_t *rows, int64_t n,
                                  const void *q, void *record)
{
    if (view->width == 16)
        NAME(gather_rows_16x1)(view, rows, n, (const REAL *)q, (REAL *)record);
    else
        NAME(gather_rows_8x1)(view, rows, n, (const REAL *)q, (REAL *)record);
}

static void NAME(relation_spread)(const column_view *view, const int32_t *rows, int64_t n,
                                  const void *q, void *record)
{
    if (view->width == 16)
        NAME(spread_rows_16x1)(view, rows, n, (const REAL *)q, (const REAL *)record);
    else
        NAME(spread_rows_8x1)(view, rows, n, (const REAL *)q, (const REAL *)record);
}

static void NAME(column_visit)(const column_view *view, const int32_t *columns, int64_t n,
                               void *part)
{
    if (view->width == 16)
        NAME(visit_columns_16x1)(view, columns, n, (REAL *)part);
    else
        NAME(visit_columns_8x1)(view, columns, n, (REAL *)part);
}

static void NAME(pair_residuals)(const column_view *view, const int32_t *columns, int64_t n,
                                 double *total)
{
    const REAL *V = view->V, *w = view->w, *y = view->targets;
    for (int64_t i = 0; i < n; i++) {
        const REAL *v = V + columns[i] * view->stride;
        double sum = 0, squares = 0;
        for (int64_t p = view->begins[columns[i]]; p < view->begins[columns[i] + 1]; p++) {
            const int64_t mate = view->rows[p];
            const int64_t ahead = view->rows[min_i64(p + COLUMN_RUN, view->nnz - 1)];
            VEC(8, ) dot = VEC(8, _zero)();
            double e;
            PREFETCH_L1((uintptr_t)(V + ahead * view->stride));
            for (int64_t f = 0; f < view->stride; f += 8)
                dot = VEC(8, _add)(dot, VEC(8, _mul)(VEC(8, _load)(v + f),
                                                     VEC(8, _load)(V + mate * view->stride + f)));
            e = (double)((REAL)view->w0 + w[columns[i]] + w[mate] + VEC(8, _sum)(dot) - y[p]);
            sum += e;
            squares += e * e;
        }
        total[0] += sum;
        total[1] += squares;
    }
}
