/* Rows that have all fields in order, of an FFM with four factors, in tiles of four by four fields: their
 * pairs, and what they add to sums of gradients. */

/* Up to four values of a row, of fields that follow each other from own on; is_first and grad are as
 * for ffm_add_pairs. */
typedef struct {
    int64_t own;
    REAL gx[4];
    int is_first[4];
    REAL *grad[4];
} NAME(ffm_fours);

/* Whether a row has all fields in order and the model four factors; not for so many fields that sums over
 * tiles would be long ones. */
static int NAME(ffm_has_fours)(const NAME(ffm_row) * row, int64_t n_fields, int64_t k)
{
    int64_t differs = row->n_values != n_fields || row->n_groups != n_fields;
    if (k != 4 || n_fields < 4 || n_fields > FOURS_FIELDS || differs)
        return 0;
    for (int64_t b = 0; b < row->n_groups; b++)
        differs |= row->field[b] ^ b * k;
    return !differs;
}

/* Calls CALL(n) with a constant for n of 1 to 4. */
#define FOUR_OR_LESS(n, CALL) \
    switch (n) {              \
    case 1:                   \
        CALL(1);              \
        break;                \
    case 2:                   \
        CALL(2);              \
        break;                \
    case 3:                   \
        CALL(3);              \
        break;                \
    default:                  \
        CALL(4);              \
    }

/* Four values from b on, for the fields from own on: V[j, field] x_j, by field. */
FORCE_INLINE void NAME(ffm_load_tile)(const NAME(ffm_row) * row, const REAL *V, int64_t own,
                                      int64_t b, VEC(16, ) tile[4])
{
    for (int j = 0; j < 4; j++)
        tile[j] = VEC(16, _mul)(VEC(16, _load)(V + row->block[b + j] + own),
                                VEC(16, _broadcast)(row->x[b + j]));
    VEC(16, _transpose)(tile);
}

/* The pairs of n values (a constant) from a on with each other and with all that follow. */
FORCE_INLINE VEC(16, )
    NAME(ffm_pairs_of_fours)(const NAME(ffm_row) * row, const REAL *V, int64_t a, int n)
{
    const int64_t *block = row->block;
    const REAL *x = row->x;
    VEC(16, ) with[4], total = VEC(16, _zero)();
    REAL own[16] = {0};
    for (int i = 0; i < n; i++) {
        VEC(4, ) sum = VEC(4, _zero)();
        for (int j = i + 1; j < n; j++)
            sum = VEC(4, _add)(
                sum, VEC(4, _mul)(VEC(4, _load)(V + block[a + i] + 4 * (a + j)),
                                  VEC(4, _mul)(VEC(4, _load)(V + block[a + j] + 4 * (a + i)),
                                               VEC(4, _broadcast)(x[a + j]))));
        VEC(4, _store)(own, sum);
        with[i] = VEC(16, _load)(own);
    }
    for (int64_t b = a + n; b < row->n_values; b += 4) {
        VEC(16, ) tile[4];
        NAME(ffm_load_tile)(row, V, 4 * a, b, tile);
        for (int i = 0; i < n; i++)
            with[i] = VEC(16, _add)(
                with[i], VEC(16, _mul)(VEC(16, _load)(V + block[a + i] + 4 * b), tile[i]));
    }
    for (int i = 0; i < n; i++)
        total = VEC(16, _add)(total, VEC(16, _mul)(with[i], VEC(16, _broadcast)(x[a + i])));
    return total;
}

/* The pair term. */
static REAL NAME(ffm_pairs_by_fours)(const NAME(ffm_row) * row, const REAL *V,
                                     const NAME(ffm_prefetch) * next)
{
    VEC(16, ) total = VEC(16, _zero)();
    for (int64_t a = 0, n = 1 + (row->n_values - 1) % 4; a < row->n_values; a += n, n = 4) {
        for (int64_t i = a; i < a + n; i++)
            NAME(ffm_prefetch_value)(next, i);
#define PAIRS(n) total = VEC(16, _add)(total, NAME(ffm_pairs_of_fours)(row, V, a, n))
        FOUR_OR_LESS(n, PAIRS)
#undef PAIRS
    }
    return VEC(16, _sum)(total);
}

/* What ffm_add_pairs adds to n values (a constant). There are at least four fields from that of the first
 * value on. */
FORCE_INLINE void NAME(ffm_add_tiles)(const NAME(ffm_row) * row, const NAME(ffm_fours) * values,
                                      int n, const REAL *V)
{
    const int64_t own = values->own;
    VEC(4, ) self[4];
    VEC(16, ) gx[4];
    REAL *grad[4];
    int is_first[4];
    int64_t b = 0;
    for (int i = 0; i < n; i++) {
        grad[i] = values->grad[i];
        is_first[i] = values->is_first[i];
        gx[i] = VEC(16, _broadcast)(values->gx[i]);
        self[i] = is_first[i] ? VEC(4, _zero)() : VEC(4, _load)(grad[i] + own + 4 * i);
    }
    for (; b + 4 <= row->n_values; b += 4) {
        VEC(16, ) tile[4];
        NAME(ffm_load_tile)(row, V, own, b, tile);
        for (int i = 0; i < n; i++) {
            const VEC(16, ) term = VEC(16, _mul)(gx[i], tile[i]);
            REAL *at = grad[i] + 4 * b;
            VEC(16, _store)(at, is_first[i] ? term : VEC(16, _add)(VEC(16, _load)(at), term));
        }
    }
    for (int i = 0; i < n; i++) {
        NAME(ffm_add_pairs_4)(row, b, own + 4 * i, V + own + 4 * i, values->gx[i], is_first[i],
                              grad[i]);
        VEC(4, _store)(grad[i] + own + 4 * i, self[i]);
    }
}

static void NAME(ffm_add_fours)(const NAME(ffm_row) * row, const NAME(ffm_fours) * values,
                                int64_t n, const REAL *V)
{
#define ADD_TILES(n) NAME(ffm_add_tiles)(row, values, n, V)
    FOUR_OR_LESS(n, ADD_TILES)
#undef ADD_TILES
}
#undef FOUR_OR_LESS
