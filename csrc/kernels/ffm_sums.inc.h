/* ffm_sum_gradients: sums what ffm_blocks kept, times g x, in row order for the features of one part.
 * ffm_update: updates those V[j, b] whose field b was in a row with j. */
FORCE_INLINE void NAME(ffm_add)(REAL *RESTRICT sums, REAL gx, const REAL *RESTRICT values,
                                int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sums[i] += gx * values[i];
}

/* Multiplies what the first row left by its g x, before another row's is added. */
static void NAME(ffm_scale_first)(const learn_scratch *scratch, int64_t output, REAL *sums,
                                  int64_t n)
{
    const REAL gx = ((const REAL *)scratch->times)[output];
    for (int64_t i = 0; gx != 1 && i < n; i++)
        sums[i] *= gx;
    ((REAL *)scratch->times)[output] = 1;
}

static char *NAME(ffm_zero_sums)(const learn_scratch *scratch, int64_t slot, int64_t n)
{
    REAL *sums = (REAL *)scratch->grad_V + slot * n;
    for (int64_t i = 0; i < n; i++)
        sums[i] = 0;
    return (char *)sums;
}

/* Where ffm_blocks kept an entry's terms. */
FORCE_INLINE REAL *NAME(ffm_blocks_of)(const batch_data *B, const batch_entry *entry)
{
    const int64_t place = (int64_t)entry->position - ((const INDEX *)B->X.indptr)[entry->row];
    return (REAL *)B->gradients + B->gradient_begin[entry->row] +
           place * B->model->n_outputs * B->n_groups[entry->row] * B->model->n_factors;
}

static void NAME(ffm_sum_gradients)(const batch_data *B, int64_t part, int64_t n_slots,
                                    const learn_scratch *scratch)
{
    const INDEX *indptr = (const INDEX *)B->X.indptr;
    const DATA *data = (const DATA *)B->X.data;
    const fastfm_model *ffm = B->model;
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, F = ffm->n_fields;
    const int32_t *slot_of = scratch->slot_of;
    for (int64_t slot = 0; slot < n_slots; slot++)
        scratch->gradient_of[slot] = NULL;
    for (int64_t i = 0; i < n_slots * (F + 1); i++)
        scratch->field_counts[i] = 0;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const batch_entry *entry = B->entries + e;
            const int64_t row = entry->row, slot = *slot_of++, groups = B->n_groups[row];
            const int32_t *fields = B->groups + indptr[row], *runs = B->runs + indptr[row];
            const REAL x = (REAL)data[entry->position];
            REAL *blocks = NAME(ffm_blocks_of)(B, entry);
            const batch_entry *next = entry + (e + 2 < begin[1] ? 2 : 0);
            const int64_t bytes = C * B->n_groups[next->row] * k * (int64_t)sizeof(REAL);
            prefetch_row(NAME(ffm_blocks_of)(B, next), 0, 0, bytes, 0);
            int32_t *counts = scratch->field_counts + slot * (F + 1);
            for (int64_t h = 0; h < groups; h += runs[h]) {
                counts[fields[h]] += 1;
                counts[fields[h] + runs[h]] -= 1;
            }
            for (int64_t c = 0; c < C; c++)
                ((REAL *)scratch->grad_w)[slot * C + c] +=
                    ((const REAL *)B->dscores)[row * C + c] * x;
            const int is_first = !scratch->gradient_of[slot], in_place = is_first && runs[0] == F;
            if (is_first)
                scratch->gradient_of[slot] =
                    in_place ? (char *)blocks : NAME(ffm_zero_sums)(scratch, slot, C * F * k);
            for (int64_t c = 0; c < C; c++, blocks += groups * k) {
                const REAL gx = ((const REAL *)B->dscores)[row * C + c] * x;
                REAL *sums = (REAL *)scratch->gradient_of[slot] + c * F * k;
                if (is_first)
                    ((REAL *)scratch->times)[slot * C + c] = in_place ? gx : 1;
                if (in_place)
                    continue;
                NAME(ffm_scale_first)(scratch, slot * C + c, sums, F * k);
                for (int64_t h = 0; h < groups; h += runs[h])
                    NAME(ffm_add)(sums + fields[h] * k, gx, blocks + h * k, runs[h] * k);
            }
        }
    }
}

/* Fields that are touched equally often, one after the other, are updated as one. */
static int NAME(ffm_update)(const batch_data *B, const learn_scratch *scratch, int64_t slot,
                            int64_t c, double inverse)
{
    const fastfm_model *ffm = B->model;
    const fastfm_solver *solver = B->solver;
    const int64_t k = ffm->n_factors, F = ffm->n_fields, C = ffm->n_outputs;
    const int64_t j = scratch->features[slot] * C + c;
    const int32_t *changes = scratch->field_counts + slot * (F + 1);
    const REAL *gradients = (const REAL *)scratch->gradient_of[slot] + c * F * k;
    int finite = 1;
    for (int64_t b = 0, end, count = 0; b < F; b = end) {
        count += changes[b];
        const update_terms terms = {solver->l1_factors,
                                    solver->l2_factors * penalised_rows(solver, count), inverse,
                                    (double)((const REAL *)scratch->times)[slot * C + c]};
        for (end = b + 1; end < F && changes[end] == 0;)
            end++;
        if (count > 0)
            finite &=
                NAME(update_at)(B, &terms, 1, (j * F + b) * k, (end - b) * k, gradients + b * k);
    }
    return finite;
}
