/* visit_columns: visits columns that share no row, one after the other. Template parameters: those of
 * widths.inc.h. */
static void BLOCK_NAME(visit_columns)(const column_view *view, const int32_t *columns, int64_t n,
                                      REAL *RESTRICT part)
{
    REAL step[2 * BLOCK_WIDTH + 1];
    const int is_pair = view->residuals == NULL;
    for (int64_t i = 0; i < n; i++) {
        const int64_t column = columns[i];
        const int64_t begin = view->begins[column], end = view->begins[column + 1];
        if (is_pair || view->shared || end - begin > FEW_ROWS ||
            !BLOCK_NAME(visit_few)(view, column, step)) {
            memset(part, 0, PART_SIZE(BLOCK_WIDTH) * sizeof(REAL));
            if (is_pair)
                BLOCK_NAME(pair_sums)(view, column, begin, end, part);
            else if (view->shared)
                BLOCK_NAME(relation_sums)(view, column, begin, end, part);
            else
                BLOCK_NAME(column_sums)(view, column, begin, end, part);
            BLOCK_NAME(column_solve)(view, column, part, step);
        }
        if (view->shared)
            BLOCK_NAME(relation_apply)(view, begin, end, step);
        else if (!is_pair)
            BLOCK_NAME(column_apply)(view, begin, end, step);
    }
}
#undef FEW_ROWS
