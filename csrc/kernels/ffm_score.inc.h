/* ffm_score (Juan et al. 2016, eq. 4, plus bias and linear terms), with a = fields[i], b = fields[j]:
 *
 *     y = w0 + sum_i w_i x_i + sum_{i<j} <V[i, b], V[j, a]> x_i x_j                      by pairs, or
 *     pairs = sum_{a<b} <S[a, b], S[b, a]> + 1/2 sum_a [ |S[a, a]|^2 - sum_{i in a} |V[i, a] x_i|^2 ],
 *     S[a, b] = sum_{i in a} V[i, b] x_i                                                 by field sums,
 *
 * whichever takes fewer steps for the row: z (z - 1) / 2 against z f + f^2 / 2, with z values in f fields. */
#define LANES 16
#include "ffm_lanes.inc.h"
#define LANES 8
#include "ffm_lanes.inc.h"
#define LANES 4
#include "ffm_lanes.inc.h"
#define LANES 1
#include "ffm_lanes.inc.h"

/* Calls CALL(lanes) for runs of factors that cover 0 ... k; f is the first factor of the run. */
#define FOR_FACTORS(k, f, CALL)                                                                            \
    for (; (k) - f >= 16; f += 16)                                                                         \
        CALL(16);                                                                                          \
    for (; (k) - f >= 8; f += 8)                                                                           \
        CALL(8);                                                                                           \
    for (; (k) - f >= 4; f += 4)                                                                           \
        CALL(4);                                                                                           \
    for (; (k) - f >= 1; f += 1)                                                                           \
        CALL(1);

/* sum_j w_j x_j */
static REAL NAME(ffm_linear)(const NAME(ffm_row) *row, const REAL *w)
{
    REAL total = 0;
    for (int64_t a = 0; a < row->n_values;) {
        const int64_t run_end = min_i64(a + RUN, row->n_values);
        REAL run = 0;
        for (; a < run_end; a++)
            run += w[row->column[a]] * row->x[a];
        total += run;
    }
    return total;
}

static void NAME(ffm_score)(const fastfm_csr *X, const fastfm_model *ffm, int64_t begin, int64_t end,
                            void *scores_, void *sums, int64_t max_row, void *scratch)
{
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, n = ffm->n_features;
    const int64_t block = ffm->n_fields * k;
    REAL *scores = (REAL *)scores_;
    NAME(ffm_row) row;
    (void)sums;
    NAME(ffm_row_place)(&row, scratch, max_row, ffm->n_fields);
    for (int64_t i = begin; i < end; i++) {
        NAME(ffm_row_load)(&row, X, ffm, i);
        const int64_t z = row.n_values, groups = row.n_groups;
        const int by_sums = ffm_takes_sums(z, groups);
        for (int64_t c = 0; c < C; c++) {
            const REAL *V = (const REAL *)ffm->V + c * n * block;
            NAME(ffm_prefetch) next = NAME(ffm_prefetch_after)(&row, X, ffm, i, c);
            REAL pairs = 0;
            int64_t f = 0;
#define FIELD_SUMS(lanes)                                                                                  \
    NAME(CONCAT(ffm_field_sums_, lanes))(&row, V + f, k, row.sums + f, &next), next.n = 0
#define BY_SUMS(lanes) FIELD_SUMS(lanes), pairs += NAME(CONCAT(ffm_by_sums_, lanes))(&row, V + f, k, row.sums + f)
#define BY_PAIRS(lanes) pairs += NAME(CONCAT(ffm_by_pairs_, lanes))(&row, V + f, &next), next.n = 0
            if (by_sums) {
                FOR_FACTORS(k, f, BY_SUMS)
            } else {
                FOR_FACTORS(k, f, BY_PAIRS)
            }
#undef BY_SUMS
#undef BY_PAIRS
#undef FIELD_SUMS
            const REAL linear = NAME(ffm_linear)(&row, (const REAL *)ffm->w + c * n);
            scores[(i - begin) * C + c] = ((const REAL *)ffm->w0)[c] + linear + pairs;
        }
    }
}
