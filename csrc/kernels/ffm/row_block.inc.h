/* The FFM formulas for one row over one factor block of one vector (BLOCK_VECTORS is 1).
 *
 * In all of them V points at the block's first factor of V[0, c, 0] for the output c, unless it is
 * said to point at some field; offsets of the row are added to it. S is as in row.inc.h; S[g, h] of
 * the block is one vector. Template parameters: REAL, NAME (instantiate.inc.h), BLOCK_... and OP
 * (factor_blocks.inc.h). Nothing is NULL; nothing that is written overlaps what is read. */

/* Every sum over values is made in runs, and every function adds in the order of its loops; the
 * sums of a block's lanes are added at the very end. */

/* The pair term, pair by pair: sum_{a<b} <V[a, field of b], V[b, field of a]> x_a x_b. The
 * parameters of the next row's first n_values values are prefetched on the way. */
static REAL BLOCK_NAME(ffm_by_pairs)(const NAME(ffm_row) * row, const REAL *V,
                                     const NAME(ffm_prefetch) * next)
{
    const int64_t z = row->n_values;
    const int64_t *V_offset = row->V_offset, *field_of = row->field_offset;
    const REAL *x = row->x;
    BLOCK_VEC total = OP(_zero)();
    for (int64_t a = 0; a < z;) {
        const int64_t run_end = min_i64(a + RUN, z);
        BLOCK_VEC run = OP(_zero)();
        for (; a < run_end; a++) {
            const REAL *v_a = V + V_offset[a], *v_field = V + field_of[a];
            BLOCK_VEC with_a = OP(_zero)();
            NAME(ffm_prefetch_value)(next, a);
            for (int64_t b = a + 1; b < z;) {
                const int64_t end = min_i64(b + RUN, z);
                /* Two chains, so that an addition need not wait for the one before. */
                BLOCK_VEC even = OP(_zero)(), odd = OP(_zero)();
#define PAIR(b)                            \
    OP(_mul)(OP(_load)(v_a + field_of[b]), \
             OP(_mul)(OP(_load)(v_field + V_offset[b]), OP(_broadcast)(x[b])))
                for (; b + 1 < end; b += 2) {
                    even = OP(_add)(even, PAIR(b));
                    odd = OP(_add)(odd, PAIR(b + 1));
                }
                if (b < end) {
                    even = OP(_add)(even, PAIR(b));
                    b++;
                }
#undef PAIR
                with_a = OP(_add)(with_a, OP(_add)(even, odd));
            }
            run = OP(_add)(run, OP(_mul)(with_a, OP(_broadcast)(x[a])));
        }
        total = OP(_add)(total, run);
    }
    return OP(_sum)(total);
}

/* S[g, h] = sum_{i in g} V[i, h] x_i of one group, with V at the field h. A group may have any
 * number of values, so this too adds in runs. */
FORCE_INLINE BLOCK_VEC BLOCK_NAME(ffm_field_sum)(const NAME(ffm_row) * row, int64_t g,
                                                 const REAL *V)
{
    const int64_t end = row->group_begin[g + 1];
    BLOCK_VEC total = OP(_zero)();
    for (int64_t a = row->group_begin[g]; a < end;) {
        const int64_t run_end = min_i64(a + RUN, end);
        BLOCK_VEC run = OP(_zero)();
        for (; a < run_end; a++)
            run =
                OP(_add)(run, OP(_mul)(OP(_load)(V + row->V_offset[a]), OP(_broadcast)(row->x[a])));
        total = OP(_add)(total, run);
    }
    return total;
}

/* For scores by field sums, which need all S: S[g, h] of one group g, for the fields of all groups
 * h: to S + h * k. */
static void BLOCK_NAME(ffm_sums_of_group)(const NAME(ffm_row) * row, int64_t g, const REAL *V,
                                          int64_t k, REAL *S)
{
    for (int64_t h = 0; h < row->n_groups; h++)
        OP(_store)(S + h * k, BLOCK_NAME(ffm_field_sum)(row, g, V + row->field[h]));
}

/* For gradients, which need the S of one field at a time: S[h, b] of all groups h, for one field b
 * at which V points: to S + h * k. */
static void BLOCK_NAME(ffm_sums_for_field)(const NAME(ffm_row) * row, const REAL *V, int64_t k,
                                           REAL *S)
{
    for (int64_t h = 0; h < row->n_groups; h++)
        OP(_store)(S + h * k, BLOCK_NAME(ffm_field_sum)(row, h, V));
}

/* The pair term by field sums,
 *
 *     sum_{g<h} <S[g, h], S[h, g]> + 1/2 sum_g [ |S[g, g]|^2 - sum_{i in g} |V[i, g] x_i|^2 ]
 *
 * The first sum is over pairs of values in different fields; the second over pairs within a field,
 * as in an FM. S[g, h] lies at S + g * stride + at[h]. */
static REAL BLOCK_NAME(ffm_by_sums)(const NAME(ffm_row) * row, const REAL *V, const REAL *S,
                                    int64_t stride, const int64_t *at)
{
    const int64_t groups = row->n_groups;
    BLOCK_VEC between = OP(_zero)(), within = OP(_zero)();
    for (int64_t g = 0; g < groups; g++) {
        BLOCK_VEC with_g = OP(_zero)(), self = OP(_zero)();
        for (int64_t h = g + 1; h < groups; h++)
            with_g = OP(_add)(with_g, OP(_mul)(OP(_load)(S + g * stride + at[h]),
                                               OP(_load)(S + h * stride + at[g])));
        between = OP(_add)(between, with_g);
        for (int64_t a = row->group_begin[g]; a < row->group_begin[g + 1];) {
            const int64_t run_end = min_i64(a + RUN, row->group_begin[g + 1]);
            BLOCK_VEC run = OP(_zero)();
            for (; a < run_end; a++) {
                BLOCK_VEC t = OP(_mul)(OP(_load)(V + row->V_offset[a] + row->field[g]),
                                       OP(_broadcast)(row->x[a]));
                run = OP(_add)(run, OP(_mul)(t, t));
            }
            self = OP(_add)(self, run);
        }
        const BLOCK_VEC s = OP(_load)(S + g * stride + at[g]);
        within = OP(_add)(within, OP(_sub)(OP(_mul)(s, s), self));
    }
    return OP(_sum)(between) + (REAL)0.5 * OP(_sum)(within);
}

/* The gradient of one value x of field a, with v its factors for field a:
 * grad[h] += gx ( S[h, a] - [h = a] v x ) for the fields h of the row.
 * S: (n_groups, k) of field a (ffm_sums_for_field). grad points at field 0. */
static void BLOCK_NAME(ffm_add_gradient)(const NAME(ffm_row) * row, int64_t field, const REAL *v,
                                         REAL x, int64_t k, const REAL *S, REAL gx, REAL *grad)
{
    const BLOCK_VEC scale = OP(_broadcast)(gx);
    for (int64_t h = 0; h < row->n_groups; h++) {
        BLOCK_VEC rest = OP(_load)(S + h * k);
        REAL *at = grad + row->field[h];
        if (row->field[h] == field)
            rest = OP(_sub)(rest, OP(_mul)(OP(_load)(v), OP(_broadcast)(x)));
        OP(_store)(at, OP(_add)(OP(_load)(at), OP(_mul)(scale, rest)));
    }
}

/* The same for a row with one value in each of its fields, where S[h, a] is V[b, a] x_b of the one
 * value b in h; for the values b from `first` on. V points at field a. is_first: grad is set and
 * not added to. What is written to grad[a] meanwhile is undone, so that no branch is needed. */
static void BLOCK_NAME(ffm_add_pairs)(const NAME(ffm_row) * row, int64_t first, int64_t field,
                                      const REAL *V, REAL gx, int is_first, REAL *grad)
{
    const BLOCK_VEC scale = OP(_broadcast)(gx);
    const BLOCK_VEC self = is_first ? OP(_zero)() : OP(_load)(grad + field);
    for (int64_t b = first; b < row->n_values; b++) {
        REAL *at = grad + row->field[b];
        const BLOCK_VEC other =
            OP(_mul)(OP(_load)(V + row->V_offset[b]), OP(_broadcast)(row->x[b]));
        const BLOCK_VEC term = OP(_mul)(scale, other);
        OP(_store)(at, is_first ? term : OP(_add)(OP(_load)(at), term));
    }
    OP(_store)(grad + field, self);
}
