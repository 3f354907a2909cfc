/* What one row adds to the sums of gradients of an FFM, in a batch. */

/* Counts a row that does not have all fields. */
static void NAME(ffm_count_fields)(const part_data *found, int64_t slot, const fastfm_model *ffm,
                                   const NAME(ffm_row) * row)
{
    int32_t *counts = found->field_counts + slot * ffm->n_fields;
    if (found->n_partial[slot]++ == 0)
        for (int64_t b = 0; b < ffm->n_fields; b++)
            counts[b] = 0;
    for (int64_t h = 0; h < row->n_groups; h++)
        counts[row->field[h] / ffm->n_factors]++;
}

/* Up to four values of a row, of fields that follow each other from own on; is_first and grad are as
 * for ffm_add_pairs. */
typedef struct {
    int64_t own;
    REAL gx[4];
    int is_first[4];
    REAL *grad[4];
} NAME(ffm_fours);

/* Whether a row has all fields in order. */
static int NAME(ffm_is_ordered)(const NAME(ffm_row) * row, int64_t n_fields, int64_t k)
{
    int64_t differs = row->n_values != n_fields || row->n_groups != n_fields;
    for (int64_t b = 0; b < row->n_groups; b++)
        differs |= row->field[b] ^ b * k;
    return !differs;
}

/* What ffm_add_pairs adds to n values (a constant) in such a row of a model with four factors: tiles of
 * four by four fields. There are at least four fields from that of the first value on. */
FORCE_INLINE void NAME(ffm_add_tiles)(const NAME(ffm_row) * row, const NAME(ffm_fours) * values,
                                      int n, const REAL *V)
{
    const int64_t own = values->own, *block = row->block;
    const REAL *x = row->x;
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
        for (int j = 0; j < 4; j++)
            tile[j] = VEC(16, _mul)(VEC(16, _load)(V + own + block[b + j]),
                                    VEC(16, _broadcast)(x[b + j]));
        VEC(16, _transpose)(tile);
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
    switch (n) {
    case 1:
        NAME(ffm_add_tiles)(row, values, 1, V);
        break;
    case 2:
        NAME(ffm_add_tiles)(row, values, 2, V);
        break;
    case 3:
        NAME(ffm_add_tiles)(row, values, 3, V);
        break;
    default:
        NAME(ffm_add_tiles)(row, values, 4, V);
    }
}
