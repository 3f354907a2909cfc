/* ffm_sum_gradients: sums the gradients of the features of one part in row order,
 *
 *     dw_i = sum g x_i,     dV[i, b] = sum g x_i ( S[b, a] - [a = b] V[i, a] x_i ),
 *     S[b, a] = sum_{j in b} V[j, a] x_j,
 *
 * with a the field of i. V is what it was when the batch was scored: no feature is updated before all
 * parts are summed. */

/* What row i reads of all V[j]: the factors for the fields of the part. */
FORCE_INLINE void NAME(ffm_prefetch_slices)(const batch_data *B, int64_t part, int64_t i)
{
    const fastfm_model *ffm = B->model;
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, block = ffm->n_fields * k;
    const int64_t fields = part >> B->hash_bits, begin = B->field_begin[fields] * k;
    const int64_t bytes = (B->field_begin[fields + 1] * k - begin) * (int64_t)sizeof(REAL);
    OF_REAL(ffm_row) row;
    if (i >= B->X.n_rows)
        return;
    row = NAME(ffm_kept_row)(B, i);
    if (!ffm_prefetches_blocks(row.n_groups, ffm->n_fields) ||
        row.n_values * C * bytes > FFM_PREFETCH_BYTES)
        return;
    for (int64_t a = 0; a < row.n_values; a++)
        for (int64_t c = 0; c < C; c++)
            prefetch_row((const REAL *)ffm->V + row.block[a] + c * block + begin, 0, 0, bytes, 1,
                         ffm_prefetches_into_L2);
}

/* A part on the way: the row that is added, and how much of what it adds is known. */
typedef struct {
    OF_REAL(ffm_row) row;
    int64_t row_at; /* its place in the batch */
    int64_t summed; /* for which field and output found->S holds S[h, own] of all groups h */
    int64_t n_seen; /* slots that have sums */
    int has_fours;  /* whether ffm_add_fours takes the row */
} NAME(ffm_progress);

/* Whether the row sets the sums of a slot and does not add to them: where it is the slot's first and
 * sets all of them. Where it is the first and does not, they begin with zeros. */
FORCE_INLINE int NAME(ffm_begin_sums)(const batch_data *B, NAME(ffm_progress) * now,
                                      part_data *found, int64_t slot, int sets_all)
{
    if (slot < now->n_seen)
        return 0;
    now->n_seen++;
    found->n_partial[slot] = 0;
    if (!sets_all)
        memset((REAL *)found->grad_V + slot * found->grad_stride, 0,
               (size_t)factors_of_feature(B->model) * sizeof(REAL));
    return sets_all;
}

/* n entries of the row at once. */
static void NAME(ffm_sum_fours)(const batch_data *B, NAME(ffm_progress) * now, part_data *found,
                                const batch_entry *entry, const int32_t *slot_of, int64_t n,
                                int64_t own)
{
    const int64_t C = B->model->n_outputs, block = B->model->n_fields * 4;
    OF_REAL(ffm_fours) fours = {.own = own};
    for (int64_t i = 0; i < n; i++)
        fours.is_first[i] = NAME(ffm_begin_sums)(B, now, found, slot_of[i], 1);
    for (int64_t c = 0; c < C; c++) {
        const REAL g = ((const REAL *)B->dscores)[now->row_at * C + c];
        for (int64_t i = 0; i < n; i++) {
            const int64_t slot = slot_of[i];
            fours.gx[i] = g * (REAL)((const DATA *)B->X.data)[entry[i].position];
            fours.grad[i] = (REAL *)found->grad_V + slot * found->grad_stride + c * block;
            ((REAL *)found->grad_w)[slot * C + c] += fours.gx[i];
        }
        OF_REAL(ffm_add_fours)(&now->row, &fours, n, (const REAL *)B->model->V + c * block);
    }
}

static void NAME(ffm_sum_value)(const batch_data *B, NAME(ffm_progress) * now, part_data *found,
                                const batch_entry *entry, int64_t slot, int64_t own)
{
    const fastfm_model *ffm = B->model;
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, F = ffm->n_fields, block = F * k;
    const OF_REAL(ffm_row) *row = &now->row;
    const REAL x = (REAL)((const DATA *)B->X.data)[entry->position];
    const int by_pairs = row->n_values == row->n_groups;
    const int is_first = NAME(ffm_begin_sums)(B, now, found, slot, by_pairs && row->n_groups == F);
    REAL *S = (REAL *)found->S;
    if (row->n_groups < F)
        OF_REAL(ffm_count_fields)(found, slot, ffm, row);
    for (int64_t c = 0; c < C; c++) {
        const REAL gx = ((const REAL *)B->dscores)[now->row_at * C + c] * x;
        const REAL *V = (const REAL *)ffm->V + c * block + own;
        REAL *grad = (REAL *)found->grad_V + slot * found->grad_stride + c * block;
        int64_t f = 0;
        ((REAL *)found->grad_w)[slot * C + c] += gx;
        if (by_pairs) {
#define ADD_PAIRS(lanes) \
    OF_REAL(CONCAT(ffm_add_pairs_, lanes))(row, 0, own, V + f, gx, is_first, grad + f)
            FOR_FACTORS(k, f, ADD_PAIRS)
#undef ADD_PAIRS
            continue;
        }
        if (now->summed != own * C + c) {
#define SUMS_FOR(lanes) OF_REAL(CONCAT(ffm_sums_for_, lanes))(row, V + f, k, S + f)
            FOR_FACTORS(k, f, SUMS_FOR)
#undef SUMS_FOR
            now->summed = own * C + c;
            f = 0;
        }
#define GRADIENT_VALUE(lanes)                                                                    \
    OF_REAL(CONCAT(ffm_gradient_value_, lanes))(row, own, V + entry->feature * C * block + f, x, \
                                                k, S + f, gx, grad + f)
        FOR_FACTORS(k, f, GRADIENT_VALUE)
#undef GRADIENT_VALUE
    }
}

static void NAME(ffm_sum_gradients)(const batch_data *B, int64_t part, part_data *found)
{
    const INDEX *indptr = (const INDEX *)B->X.indptr;
    const int64_t k = B->model->n_factors, F = B->model->n_fields;
    const int64_t *fields = B->field_begin + (part >> B->hash_bits);
    const int may_have_fours = k == 4 && fields[1] - fields[0] >= 4 && B->hash_bits == 0;
    const int32_t *slot_of = found->slot_of;
    NAME(ffm_progress) now = {.row_at = -1};
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1];) {
            const batch_entry *entry = B->entries + e;
            int64_t field, n = 1;
            if (entry->row != now.row_at) {
                now.row_at = entry->row;
                now.row = NAME(ffm_kept_row)(B, now.row_at);
                now.summed = -1;
                now.has_fours = may_have_fours && OF_REAL(ffm_is_ordered)(&now.row, F, k);
                NAME(ffm_prefetch_slices)(B, part, now.row_at + 1);
            }
            field = now.row.field_at[(int64_t)entry->position - indptr[now.row_at]];
            if (now.has_fours) {
                const int64_t rest = (fields[1] - field) % 4; /* the last are four */
                n = rest ? rest : 4;
                NAME(ffm_sum_fours)(B, &now, found, entry, slot_of, n, field * k);
            } else {
                NAME(ffm_sum_value)(B, &now, found, entry, *slot_of, field * k);
            }
            slot_of += n;
            e += n;
        }
    }
}
