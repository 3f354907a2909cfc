/* The FFM formulas on LANES factors side by side. V and S point at the first of them. */
#define LANES_TYPE VEC(LANES, )
#define OP(op) VEC(LANES, op)

/* sum_{i<j} <V[i, field of j], V[j, field of i]> x_i x_j over these factors. With kept not NULL
 * also V[j, field of i] x_j, for all j, k apart, at kept + (place of i in the row) * stride; the row
 * then has one value in each of its fields. */
FORCE_INLINE REAL NAME(CONCAT(ffm_pairs_of_, LANES))(const NAME(ffm_row) * row, const REAL *V,
                                                     const NAME(ffm_prefetch) * next, REAL *kept,
                                                     int64_t stride, int64_t k)
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
            REAL *kept_a = kept ? kept + (row->position[a] - row->first) * stride : NULL;
            LANES_TYPE with_a = OP(_zero)();
            NAME(ffm_prefetch_value)(next, a);
#define OTHER(b) OP(_mul)(OP(_load)(v_field + block[b]), OP(_broadcast)(x[b]))
            for (int64_t b = 0; kept && b < a; b++)
                OP(_store)(kept_a + b * k, OTHER(b));
            if (kept)
                OP(_store)(kept_a + a * k, OP(_zero)());
            for (int64_t b = a + 1; b < z;) {
                const int64_t end = min_i64(b + RUN, z);
                /* Two chains, so that one addition need not wait for the last. */
                LANES_TYPE even = OP(_zero)(), odd = OP(_zero)(), other;
#define PAIR(sum, b)                         \
    other = OTHER(b);                        \
    if (kept)                                \
        OP(_store)(kept_a + (b) * k, other); \
    sum = OP(_add)(sum, OP(_mul)(OP(_load)(v_a + field_of[b]), other));
                for (; b + 1 < end; b += 2) {
                    PAIR(even, b)
                    PAIR(odd, b + 1)
                }
                if (b < end) {
                    PAIR(even, b)
                    b++;
                }
#undef PAIR
#undef OTHER
                with_a = OP(_add)(with_a, OP(_add)(even, odd));
            }
            run = OP(_add)(run, OP(_mul)(with_a, OP(_broadcast)(x[a])));
        }
        total = OP(_add)(total, run);
    }
    return OP(_sum)(total);
}

static REAL NAME(CONCAT(ffm_by_pairs_, LANES))(const NAME(ffm_row) * row, const REAL *V,
                                               const NAME(ffm_prefetch) * next)
{
    return NAME(CONCAT(ffm_pairs_of_, LANES))(row, V, next, NULL, 0, 0);
}

static REAL NAME(CONCAT(ffm_keep_pairs_, LANES))(const NAME(ffm_row) * row, const REAL *V,
                                                 const NAME(ffm_prefetch) * next, REAL *kept,
                                                 int64_t stride, int64_t k)
{
    return NAME(CONCAT(ffm_pairs_of_, LANES))(row, V, next, kept, stride, k);
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

/* S[h, g] of all groups h, for one group g, into S: (n_groups, n_factors). */
static void NAME(CONCAT(ffm_sums_for_, LANES))(const NAME(ffm_row) * row, int64_t g, const REAL *V,
                                               int64_t k, REAL *S)
{
    for (int64_t h = 0; h < row->n_groups; h++)
        OP(_store)(S + h * k, NAME(CONCAT(ffm_sum_, LANES))(row, h, V + row->field[g]));
}

/* grad[h] += gx ( S[h, g] - [g = h] V[i, g] x )
 * for value a of the row, of group g, and all groups h. */
static void NAME(CONCAT(ffm_gradient_value_, LANES))(const NAME(ffm_row) * row, int64_t a,
                                                     int64_t g, const REAL *V, int64_t k,
                                                     const REAL *S, REAL gx, REAL *grad)
{
    const LANES_TYPE scale = OP(_broadcast)(gx);
    for (int64_t h = 0; h < row->n_groups; h++) {
        LANES_TYPE rest = OP(_load)(S + h * k);
        REAL *at = grad + row->field[h];
        if (h == g)
            rest = OP(_sub)(rest, OP(_mul)(OP(_load)(V + row->block[a] + row->field[g]),
                                           OP(_broadcast)(row->x[a])));
        OP(_store)(at, OP(_add)(OP(_load)(at), OP(_mul)(scale, rest)));
    }
}

/* out[h] = S[h, g] - [g = h] V[i, g] x
 * for value a of the row, of group g, and all groups h. */
static void NAME(CONCAT(ffm_keep_value_, LANES))(const NAME(ffm_row) * row, int64_t a, int64_t g,
                                                 const REAL *V, int64_t k, const REAL *S, REAL *out)
{
    for (int64_t h = 0; h < row->n_groups; h++) {
        LANES_TYPE rest = OP(_load)(S + h * k);
        if (h == g)
            rest = OP(_sub)(rest, OP(_mul)(OP(_load)(V + row->block[a] + row->field[g]),
                                           OP(_broadcast)(row->x[a])));
        OP(_store)(out + h * k, rest);
    }
}
#undef OP
#undef LANES_TYPE
#undef LANES
