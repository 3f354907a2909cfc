/* What is kept of each value i of a row, with a its field, for each field b of the row:
 *
 *     S[b, a] - [a = b] V[i, a] x_i
 *
 * which times g x_i is what ffm_gradient adds. Where each field has one value, that is V[j, a] x_j,
 * which scoring by pairs comes across. */
static void NAME(ffm_keep_sums)(const NAME(ffm_row) * row, const REAL *V, REAL *kept,
                                int64_t stride, int64_t k)
{
    for (int64_t g = 0; g < row->n_groups; g++) {
        int64_t f = 0;
#define SUMS_FOR(lanes) NAME(CONCAT(ffm_sums_for_, lanes))(row, g, V + f, k, row->sums + f)
        FOR_FACTORS(k, f, SUMS_FOR)
#undef SUMS_FOR
        for (int64_t a = row->group_begin[g]; a < row->group_begin[g + 1]; a++) {
            REAL *out = kept + (row->position[a] - row->first) * stride;
            f = 0;
#define KEEP_VALUE(lanes) \
    NAME(CONCAT(ffm_keep_value_, lanes))(row, a, g, V + f, k, row->sums + f, out + f)
            FOR_FACTORS(k, f, KEEP_VALUE)
#undef KEEP_VALUE
        }
    }
}

static REAL NAME(ffm_keep_pairs)(const NAME(ffm_row) * row, const REAL *V, REAL *kept,
                                 int64_t stride, int64_t k, NAME(ffm_prefetch) * next)
{
    REAL pairs = 0;
    int64_t f = 0;
#define KEEP_PAIRS(lanes)                                                                 \
    pairs += NAME(CONCAT(ffm_keep_pairs_, lanes))(row, V + f, next, kept + f, stride, k), \
        next->n = 0
    FOR_FACTORS(k, f, KEEP_PAIRS)
#undef KEEP_PAIRS
    return pairs;
}

/* Which fields a row has, and how many of them follow each other from each on. */
static void NAME(ffm_keep_fields)(const batch_data *B, const NAME(ffm_row) * row, int64_t i)
{
    int32_t *groups = B->groups + row->first, *runs = B->runs + row->first;
    B->n_groups[i] = row->n_groups;
    for (int64_t g = row->n_groups - 1; g >= 0; g--) {
        groups[g] = (int32_t)(row->field[g] / B->model->n_factors);
        runs[g] = g + 1 < row->n_groups && groups[g + 1] == groups[g] + 1 ? runs[g + 1] + 1 : 1;
    }
}
