/* Rows that have all fields of the model in order, of an FFM with k = 4, in tiles of four by four
 * fields: the pair term, and what a row adds to gradients.
 *
 * Such a row has one value in each field, so value a is field a, V[j, b] lies 4 b numbers behind
 * V[j, 0], and four fields of one value fill one vector of 16 lanes. A tile is V[j, b] x_j of four
 * values j for four fields b: sixteen cells of four lanes, transposed so that a vector holds the
 * four values of one field.
 *
 * The first tile of a row takes n = 1 + (F - 1) % 4 values, so that all later ones take four.
 * Template parameters: REAL, NAME, VEC (instantiate.inc.h). V points at V[0, c, 0]. */

/* Up to four values of neighbouring fields, from `field` (an offset) on, that receive gradients. */
typedef struct {
    int64_t field;
    REAL gx[4];      /* the loss gradient times x */
    int is_first[4]; /* whether grad is set and not added to */
    REAL *grad[4];   /* at field 0 */
} NAME(ffm_tile4x4);

/* Whether a row is one for tiles: all fields in order, k = 4, and 4 to TILE_MAX_FIELDS fields. */
static int NAME(ffm_takes_tiles)(const NAME(ffm_row) * row, int64_t n_fields, int64_t k)
{
    int64_t differs = row->n_values != n_fields || row->n_groups != n_fields;
    if (k != 4 || n_fields < 4 || n_fields > TILE_MAX_FIELDS || differs)
        return 0;
    for (int64_t b = 0; b < row->n_groups; b++)
        differs |= row->field[b] ^ b * k;
    return !differs;
}

/* Calls CALL(n) with a constant for n of 1 to 4, so that loops over n are unrolled. */
#define DISPATCH_1_TO_4(n, CALL) \
    switch (n) {                 \
    case 1:                      \
        CALL(1);                 \
        break;                   \
    case 2:                      \
        CALL(2);                 \
        break;                   \
    case 3:                      \
        CALL(3);                 \
        break;                   \
    default:                     \
        CALL(4);                 \
    }

/* The tile of the values [b, b + 4) for the four fields from `field` (an offset) on: tile[i] holds
 * V[j, field i] x_j of the four values j. */
FORCE_INLINE void NAME(ffm_load_tile)(const NAME(ffm_row) * row, const REAL *V, int64_t field,
                                      int64_t b, VEC(16, ) tile[4])
{
    for (int j = 0; j < 4; j++)
        tile[j] = VEC(16, _mul)(VEC(16, _load)(V + row->V_offset[b + j] + field),
                                VEC(16, _broadcast)(row->x[b + j]));
    VEC(16, _transpose)(tile);
}

/* The pairs of n values (a constant) from a on, with each other and with all that follow:
 *
 *     sum_i x_i sum_{j > i} <V[i, field of j], V[j, field of i]> x_j
 *
 * The pairs among the n values are made in four lanes; those with later values, four at a time, in
 * sixteen. with[i] collects the inner sum of value i, lane by lane. */
FORCE_INLINE VEC(16, )
    NAME(ffm_tile_pairs)(const NAME(ffm_row) * row, const REAL *V, int64_t a, int n)
{
    const int64_t *V_offset = row->V_offset;
    const REAL *x = row->x;
    VEC(16, ) with[4], total = VEC(16, _zero)();
    REAL padded[16] = {0}; /* a vector of 4 lanes, and zeros */
    for (int i = 0; i < n; i++) {
        VEC(4, ) sum = VEC(4, _zero)();
        for (int j = i + 1; j < n; j++)
            sum = VEC(4, _add)(
                sum, VEC(4, _mul)(VEC(4, _load)(V + V_offset[a + i] + 4 * (a + j)),
                                  VEC(4, _mul)(VEC(4, _load)(V + V_offset[a + j] + 4 * (a + i)),
                                               VEC(4, _broadcast)(x[a + j]))));
        VEC(4, _store)(padded, sum);
        with[i] = VEC(16, _load)(padded);
    }
    for (int64_t b = a + n; b < row->n_values; b += 4) {
        VEC(16, ) tile[4];
        NAME(ffm_load_tile)(row, V, 4 * a, b, tile);
        for (int i = 0; i < n; i++)
            with[i] = VEC(16, _add)(
                with[i], VEC(16, _mul)(VEC(16, _load)(V + V_offset[a + i] + 4 * b), tile[i]));
    }
    for (int i = 0; i < n; i++)
        total = VEC(16, _add)(total, VEC(16, _mul)(with[i], VEC(16, _broadcast)(x[a + i])));
    return total;
}

/* The pair term of a row. */
static REAL NAME(ffm_pairs_by_tiles)(const NAME(ffm_row) * row, const REAL *V,
                                     const NAME(ffm_prefetch) * next)
{
    VEC(16, ) total = VEC(16, _zero)();
    for (int64_t a = 0, n = 1 + (row->n_values - 1) % 4; a < row->n_values; a += n, n = 4) {
        for (int64_t i = a; i < a + n; i++)
            NAME(ffm_prefetch_value)(next, i);
#define PAIRS(n) total = VEC(16, _add)(total, NAME(ffm_tile_pairs)(row, V, a, n))
        DISPATCH_1_TO_4(n, PAIRS)
#undef PAIRS
    }
    return VEC(16, _sum)(total);
}

/* What ffm_add_pairs (row_block.inc.h) adds to the gradients of n values (a constant), tile by
 * tile; the fields that do not fill a tile are left to it. There are at least four fields from
 * values->field on. */
FORCE_INLINE void NAME(ffm_add_tiles)(const NAME(ffm_row) * row, const NAME(ffm_tile4x4) * values,
                                      int n, const REAL *V)
{
    const int64_t field = values->field;
    VEC(4, ) self[4];
    VEC(16, ) gx[4];
    REAL *grad[4];
    int is_first[4];
    int64_t b = 0;
    for (int i = 0; i < n; i++) {
        grad[i] = values->grad[i];
        is_first[i] = values->is_first[i];
        gx[i] = VEC(16, _broadcast)(values->gx[i]);
        self[i] = is_first[i] ? VEC(4, _zero)() : VEC(4, _load)(grad[i] + field + 4 * i);
    }
    for (; b + 4 <= row->n_values; b += 4) {
        VEC(16, ) tile[4];
        NAME(ffm_load_tile)(row, V, field, b, tile);
        for (int i = 0; i < n; i++) {
            const VEC(16, ) term = VEC(16, _mul)(gx[i], tile[i]);
            REAL *at = grad[i] + 4 * b;
            VEC(16, _store)(at, is_first[i] ? term : VEC(16, _add)(VEC(16, _load)(at), term));
        }
    }
    for (int i = 0; i < n; i++) {
        NAME(ffm_add_pairs_4x1)(row, b, field + 4 * i, V + field + 4 * i, values->gx[i],
                                is_first[i], grad[i]);
        VEC(4, _store)(grad[i] + field + 4 * i, self[i]);
    }
}

/* ffm_add_tiles for values->... of n values, 1 to 4. */
static void NAME(ffm_add_tile4x4)(const NAME(ffm_row) * row, const NAME(ffm_tile4x4) * values,
                                  int64_t n, const REAL *V)
{
#define ADD_TILES(n) NAME(ffm_add_tiles)(row, values, n, V)
    DISPATCH_1_TO_4(n, ADD_TILES)
#undef ADD_TILES
}
#undef DISPATCH_1_TO_4
