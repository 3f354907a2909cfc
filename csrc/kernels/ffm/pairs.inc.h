/* ffm_score (Juan et al. 2016, eq. 4, plus bias and linear terms), y = w0 + sum_i w_i x_i + pairs,
 * with a = fields[i], b = fields[j]:
 *
 *     pairs = sum_{i<j} <V[i, b], V[j, a]> x_i x_j                                by pairs, or
 *
 *     pairs = sum_{a<b} <S[a, b], S[b, a]>
 *             + 1/2 sum_a [ |S[a, a]|^2 - sum_{i in a} |V[i, a] x_i|^2 ],
 *     S[a, b] = sum_{i in a} V[i, b] x_i                                          by field sums,
 *
 * whichever takes fewer steps for the row of z values in f fields:
 * z (z - 1) / 2 against z f + f^2 / 2. */

/* sum_j w_j x_j */
static REAL NAME(ffm_linear)(const NAME(ffm_row) * row, const REAL *w, int64_t C)
{
    REAL total = 0;
    for (int64_t a = 0; a < row->n_values;) {
        const int64_t run_end = min_i64(a + RUN, row->n_values);
        REAL run = 0;
        for (; a < run_end; a++)
            run += w[row->column[a] * C] * row->x[a];
        total += run;
    }
    return total;
}

/* The pair term by field sums. Where the row has most fields, S[g] takes all of them, laid out as
 * V[j] is, so that long vectors serve for any k; else only the fields that it has. The bits are the
 * same. */
static REAL NAME(ffm_pairs_by_sums)(const NAME(ffm_row) * row, const REAL *V, int64_t k,
                                    int64_t block, const NAME(ffm_prefetch) * next)
{
    const int64_t groups = row->n_groups;
    const int whole = ffm_sums_are_whole(groups, block / k);
    const int64_t stride = whole ? block : groups * k;
    REAL pairs = 0;
    int64_t f = 0;
    for (int64_t g = 0; g < groups; g++) {
        REAL *S = row->sums + g * stride;
        for (int64_t a = row->group_begin[g]; a < row->group_begin[g + 1]; a++)
            NAME(ffm_prefetch_value)(next, a);
        f = 0;
#define WHOLE_SUM(lanes) VEC(lanes, _store)(S + f, NAME(CONCAT(ffm_sum_, lanes))(row, g, V + f))
#define FIELD_SUMS(lanes) NAME(CONCAT(ffm_field_sums_, lanes))(row, g, V + f, k, S + f)
        if (whole) {
            FOR_FACTORS(block, f, WHOLE_SUM)
        } else {
            FOR_FACTORS(k, f, FIELD_SUMS)
        }
#undef WHOLE_SUM
#undef FIELD_SUMS
        row->at[g] = whole ? row->field[g] : g * k;
    }
    f = 0;
#define BY_SUMS(lanes) \
    pairs += NAME(CONCAT(ffm_by_sums_, lanes))(row, V + f, row->sums + f, stride, row->at)
    FOR_FACTORS(k, f, BY_SUMS)
#undef BY_SUMS
    return pairs;
}

/* The pair term. */
static REAL NAME(ffm_pairs)(const NAME(ffm_row) * row, const REAL *V, int64_t k, int64_t block,
                            NAME(ffm_prefetch) * next)
{
    REAL pairs = 0;
    int64_t f = 0;
    if (ffm_takes_sums(row->n_values, row->n_groups))
        return NAME(ffm_pairs_by_sums)(row, V, k, block, next);
    if (NAME(ffm_has_fours)(row, block / k, k))
        return NAME(ffm_pairs_by_fours)(row, V, next);
#define BY_PAIRS(lanes) pairs += NAME(CONCAT(ffm_by_pairs_, lanes))(row, V + f, next), next->n = 0
    FOR_FACTORS(k, f, BY_PAIRS)
#undef BY_PAIRS
    return pairs;
}
