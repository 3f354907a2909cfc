/* The FFM formulas on LANES factors side by side. V and S point at the first of them. */
#define LANES_TYPE VEC(LANES, )
#define OP(op) VEC(LANES, op)

/* sum_{i<j} <V[i, field of j], V[j, field of i]> x_i x_j over these factors. */
static REAL NAME(CONCAT(ffm_by_pairs_, LANES))(const NAME(ffm_row) * row, const REAL *V,
                                               const NAME(ffm_prefetch) * next)
{
    const int64_t z = row->n_values;
    const int64_t *block = row->block, *field_of = row->field_offset;
    const REAL *x = row->x;
    LANES_TYPE total = OP(_zero)();
    for (int64_t a = 0; a < z;) {
        const int64_t run_end = min_i64(a + RUN, z);
        LANES_TYPE run = OP(_zero)();
        for (; a < run_end; a++) {
            const REAL *v_a = V + block[a], *v_field = V + field_of[a];
            LANES_TYPE with_a = OP(_zero)();
            NAME(ffm_prefetch_value)(next, a);
            for (int64_t b = a + 1; b < z;) {
                const int64_t end = min_i64(b + RUN, z);
                /* Two chains, so that one addition need not wait for the last. */
                LANES_TYPE even = OP(_zero)(), odd = OP(_zero)();
#define PAIR(b)                            \
    OP(_mul)(OP(_load)(v_a + field_of[b]), \
             OP(_mul)(OP(_load)(v_field + block[b]), OP(_broadcast)(x[b])))
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

/* sum_{i in g} V[i] x_i, with V at the factors for some field. */
FORCE_INLINE LANES_TYPE NAME(CONCAT(ffm_sum_, LANES))(const NAME(ffm_row) * row, int64_t g,
                                                      const REAL *V)
{
    const int64_t end = row->group_begin[g + 1];
    LANES_TYPE total = OP(_zero)();
    for (int64_t a = row->group_begin[g]; a < end;) {
        const int64_t run_end = min_i64(a + RUN, end);
        LANES_TYPE run = OP(_zero)();
        for (; a < run_end; a++)
            run = OP(_add)(run, OP(_mul)(OP(_load)(V + row->block[a]), OP(_broadcast)(row->x[a])));
        total = OP(_add)(total, run);
    }
    return total;
}

/* S[g, h] = sum_{i in g} V[i, h] x_i for one group g and all groups h, k apart. */
static void NAME(CONCAT(ffm_field_sums_, LANES))(const NAME(ffm_row) * row, int64_t g,
                                                 const REAL *V, int64_t k, REAL *S)
{
    for (int64_t h = 0; h < row->n_groups; h++)
        OP(_store)(S + h * k, NAME(CONCAT(ffm_sum_, LANES))(row, g, V + row->field[h]));
}

/* sum_{g<h} <S[g, h], S[h, g]> + 1/2 sum_g [ |S[g, g]|^2 - sum_{i in g} |V[i, g] x_i|^2 ].
 * S[g, h] lies at S + g * stride + at[h]. */
static REAL NAME(CONCAT(ffm_by_sums_, LANES))(const NAME(ffm_row) * row, const REAL *V,
                                              const REAL *S, int64_t stride, const int64_t *at)
{
    const int64_t groups = row->n_groups;
    LANES_TYPE between = OP(_zero)(), within = OP(_zero)();
    for (int64_t g = 0; g < groups; g++) {
        LANES_TYPE with_g = OP(_zero)(), self = OP(_zero)();
        for (int64_t h = g + 1; h < groups; h++)
            with_g = OP(_add)(with_g, OP(_mul)(OP(_load)(S + g * stride + at[h]),
                                               OP(_load)(S + h * stride + at[g])));
        between = OP(_add)(between, with_g);
        for (int64_t a = row->group_begin[g]; a < row->group_begin[g + 1];) {
            const int64_t run_end = min_i64(a + RUN, row->group_begin[g + 1]);
            LANES_TYPE run = OP(_zero)();
            for (; a < run_end; a++) {
                LANES_TYPE t = OP(_mul)(OP(_load)(V + row->block[a] + row->field[g]),
                                        OP(_broadcast)(row->x[a]));
                run = OP(_add)(run, OP(_mul)(t, t));
            }
            self = OP(_add)(self, run);
        }
        const LANES_TYPE s = OP(_load)(S + g * stride + at[g]);
        within = OP(_add)(within, OP(_sub)(OP(_mul)(s, s), self));
    }
    return OP(_sum)(between) + (REAL)0.5 * OP(_sum)(within);
}

/* S[h, own] of all groups h into S: (n_groups, n_factors), with V at the factors for field own. */
static void NAME(CONCAT(ffm_sums_for_, LANES))(const NAME(ffm_row) * row, const REAL *V, int64_t k,
                                               REAL *S)
{
    for (int64_t h = 0; h < row->n_groups; h++)
        OP(_store)(S + h * k, NAME(CONCAT(ffm_sum_, LANES))(row, h, V));
}

/* grad[h] += gx ( S[h, own] - [h = own] v x ) for all groups h of a row: the gradient of a value x of
 * field own, with v its factors for that field. */
static void NAME(CONCAT(ffm_gradient_value_, LANES))(const NAME(ffm_row) * row, int64_t own,
                                                     const REAL *v, REAL x, int64_t k,
                                                     const REAL *S, REAL gx, REAL *grad)
{
    const LANES_TYPE scale = OP(_broadcast)(gx);
    for (int64_t h = 0; h < row->n_groups; h++) {
        LANES_TYPE rest = OP(_load)(S + h * k);
        REAL *at = grad + row->field[h];
        if (row->field[h] == own)
            rest = OP(_sub)(rest, OP(_mul)(OP(_load)(v), OP(_broadcast)(x)));
        OP(_store)(at, OP(_add)(OP(_load)(at), OP(_mul)(scale, rest)));
    }
}

/* The same for a row that has one value in each of its fields, but only for those from the first-th on.
 * V: at the factors for field own. With is_first grad is set. */
static void NAME(CONCAT(ffm_add_pairs_, LANES))(const NAME(ffm_row) * row, int64_t first,
                                                int64_t own, const REAL *V, REAL gx, int is_first,
                                                REAL *grad)
{
    const LANES_TYPE scale = OP(_broadcast)(gx);
    const LANES_TYPE self = is_first ? OP(_zero)() : OP(_load)(grad + own);
    for (int64_t b = first; b < row->n_values; b++) {
        REAL *at = grad + row->field[b];
        const LANES_TYPE other = OP(_mul)(OP(_load)(V + row->block[b]), OP(_broadcast)(row->x[b]));
        const LANES_TYPE term = OP(_mul)(scale, other);
        OP(_store)(at, is_first ? term : OP(_add)(OP(_load)(at), term));
    }
    OP(_store)(grad + own, self);
}
#undef OP
#undef LANES_TYPE
#undef LANES
