/* ffm_blocks: for each value i of a row, with a its field, and for each field b of the row
 *
 *     g x_i ( S[b, a] - [a = b] V[i, a] x_i )
 *
 * which is what ffm_gradient adds, kept for each value by itself. */
static void NAME(ffm_blocks_row)(const batch_data *B, NAME(ffm_row) * row, int64_t i, int64_t c)
{
    const fastfm_model *ffm = B->model;
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, groups = row->n_groups;
    const REAL g = ((const REAL *)B->dscores)[i * C + c];
    const REAL *V = (const REAL *)ffm->V + c * ffm->n_fields * k;
    REAL *out = (REAL *)B->gradients + B->gradient_begin[i];
    const int64_t first = ((const INDEX *)B->X.indptr)[i];
    for (int64_t a = 0; groups == row->n_values && a < groups; a++) {
        REAL *block = out + ((row->position[a] - first) * C + c) * groups * k;
        int64_t f = 0;
#define BLOCK_SINGLE(lanes) \
    NAME(CONCAT(ffm_block_single_, lanes))(row, a, V + f, k, g * row->x[a], block + f)
        FOR_FACTORS(k, f, BLOCK_SINGLE)
#undef BLOCK_SINGLE
    }
    for (int64_t group = 0; groups < row->n_values && group < groups; group++) {
        int64_t f = 0;
#define SUMS_FOR(lanes) NAME(CONCAT(ffm_sums_for_, lanes))(row, group, V + f, k, row->sums + f)
        FOR_FACTORS(k, f, SUMS_FOR)
#undef SUMS_FOR
        for (int64_t a = row->group_begin[group]; a < row->group_begin[group + 1]; a++) {
            REAL *block = out + ((row->position[a] - first) * C + c) * groups * k;
            f = 0;
#define BLOCK_VALUE(lanes)                                                                       \
    NAME(CONCAT(ffm_block_value_, lanes))(row, a, group, V + f, k, row->sums + f, g * row->x[a], \
                                          block + f)
            FOR_FACTORS(k, f, BLOCK_VALUE)
#undef BLOCK_VALUE
        }
    }
}

static void NAME(ffm_blocks)(const batch_data *B, int64_t begin, int64_t end, void *scratch)
{
    const fastfm_model *ffm = B->model;
    NAME(ffm_row) row;
    NAME(ffm_row_place)(&row, scratch, B->max_row, ffm->n_fields);
    for (int64_t i = begin; i < end; i++) {
        int32_t *groups = B->groups + ((const INDEX *)B->X.indptr)[i];
        int32_t *runs = B->runs + ((const INDEX *)B->X.indptr)[i];
        NAME(ffm_row_load)(&row, &B->X, ffm, i);
        B->n_groups[i] = row.n_groups;
        for (int64_t g = row.n_groups - 1; g >= 0; g--) {
            groups[g] = (int32_t)(row.field[g] / ffm->n_factors);
            runs[g] = g + 1 < row.n_groups && groups[g + 1] == groups[g] + 1 ? runs[g + 1] + 1 : 1;
        }
        for (int64_t c = 0; c < ffm->n_outputs; c++)
            NAME(ffm_blocks_row)(B, &row, i, c);
    }
}
