/* The linear and the pair term of one row of an FFM (Juan et al. 2016, eq. 4), for one output.
 * With a = fields[i], b = fields[j], the pair term is
 *
 *     sum_{i<j} <V[i, b], V[j, a]> x_i x_j                                        by pairs, or
 *
 *     sum_{a<b} <S[a, b], S[b, a]>
 *     + 1/2 sum_a [ |S[a, a]|^2 - sum_{i in a} |V[i, a] x_i|^2 ],
 *     S[a, b] = sum_{i in a} V[i, b] x_i                                          by field sums,
 *
 * whichever takes fewer multiply-adds for the row of z values in f fields: z (z - 1) / 2 against
 * z f + f^2 / 2. A row that has all fields in order, with k = 4, is taken pair by pair in tiles.
 *
 * V points at V[0, c, 0]; output_stride is F k, the numbers of V[j, c].
 * Template parameters: REAL, NAME, VEC (instantiate.inc.h). */

/* sum_j w_j x_j, with w_j at w[j * C]. */
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

/* The pair term by field sums. If the row has at least half of the model's fields, S[g] takes all
 * fields, laid out as V[j, c] is, so that long vectors serve for any k; else only the fields that
 * the row has. The bits are the same, because each number of S is the same sum. */
static REAL NAME(ffm_pairs_by_sums)(const NAME(ffm_row) * row, const REAL *V, int64_t k,
                                    int64_t output_stride, const NAME(ffm_prefetch) * next)
{
    const int64_t groups = row->n_groups;
    const int is_whole = ffm_sums_are_whole(groups, output_stride / k);
    const int64_t stride = is_whole ? output_stride : groups * k;
    REAL pairs = 0;
    int64_t f = 0;
    for (int64_t g = 0; g < groups; g++) {
        REAL *S = row->sums + g * stride;
        for (int64_t a = row->group_begin[g]; a < row->group_begin[g + 1]; a++)
            NAME(ffm_prefetch_value)(next, a);
        f = 0;
#define WHOLE_SUMS(width, vectors) \
    VEC(width, _store)(S + f, NAME(FACTOR_BLOCK(ffm_field_sum, width, vectors))(row, g, V + f))
#define ROW_SUMS(width, vectors) \
    NAME(FACTOR_BLOCK(ffm_sums_of_group, width, vectors))(row, g, V + f, k, S + f)
        if (is_whole) {
            FOR_FACTOR_BLOCKS(output_stride, f, WHOLE_SUMS)
        } else {
            FOR_FACTOR_BLOCKS(k, f, ROW_SUMS)
        }
#undef WHOLE_SUMS
#undef ROW_SUMS
        row->at[g] = is_whole ? row->field[g] : g * k;
    }
    f = 0;
#define BY_SUMS(width, vectors)                                                                 \
    pairs += NAME(FACTOR_BLOCK(ffm_by_sums, width, vectors))(row, V + f, row->sums + f, stride, \
                                                             row->at)
    FOR_FACTOR_BLOCKS(k, f, BY_SUMS)
#undef BY_SUMS
    return pairs;
}

/* The pair term, in the way that suits the row. Prefetches what *next asks for, once. */
static REAL NAME(ffm_pairs)(const NAME(ffm_row) * row, const REAL *V, int64_t k,
                            int64_t output_stride, NAME(ffm_prefetch) * next)
{
    REAL pairs = 0;
    int64_t f = 0;
    if (ffm_takes_sums(row->n_values, row->n_groups))
        return NAME(ffm_pairs_by_sums)(row, V, k, output_stride, next);
    if (NAME(ffm_takes_tiles)(row, output_stride / k, k))
        return NAME(ffm_pairs_by_tiles)(row, V, next);
#define BY_PAIRS(width, vectors) \
    pairs += NAME(FACTOR_BLOCK(ffm_by_pairs, width, vectors))(row, V + f, next), next->n = 0
    FOR_FACTOR_BLOCKS(k, f, BY_PAIRS)
#undef BY_PAIRS
    return pairs;
}
