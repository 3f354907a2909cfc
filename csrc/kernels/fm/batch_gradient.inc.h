/* fm_sum_part: for the features of one part, over the rows of a batch in row order
 *
 *     dw_j = sum g x_j,     dv_jf = sum g x_j (s_f - v_jf x_j) */

/* Numbers the features of the part, which are its slots. Prefetches what is needed of them. */
static void NAME(fm_find_slots)(const batch_data *B, int64_t part, thread_data *own)
{
    const NAME(fm_entry) *entries = (const NAME(fm_entry) *)B->entries;
    const fastfm_model *fm = B->model;
    const int64_t C = fm->n_outputs, block = factors_of_feature(fm);
    const int64_t row_bytes = block * (int64_t)sizeof(REAL), w_bytes = C * (int64_t)sizeof(REAL);
    int32_t *slot_of = own->slot_of;
    clear_table(&own->table, size_of_part(B, part));
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = entries[e].feature;
            const REAL x = entries[e].x;
            const feature_record *record = count_feature(&own->table, feature, x < 0 ? -x : x, 1);
            *slot_of++ = record->number;
            if (record->n_rows == 1) {
                own->slots[record->number] = record->number;
                prefetch_row(fm->V, feature, row_bytes, row_bytes, 1, 0);
                prefetch_row(fm->w, feature, w_bytes, w_bytes, C > 1, 0);
            }
        }
    }
}

static void NAME(fm_sum_gradients)(const batch_data *B, int64_t part, const thread_data *own)
{
    const NAME(fm_entry) *entries = (const NAME(fm_entry) *)B->entries;
    const fastfm_model *fm = B->model;
    const int64_t k = fm->n_factors, C = fm->n_outputs;
    const int32_t *slot_of = own->slot_of;
    const double *scale = B->X.linear_scale;
    REAL *grad_w = (REAL *)own->sums.grad_w, *grad_V = (REAL *)own->sums.grad_V;
    for (int64_t i = 0; i < own->table.n * C; i++)
        grad_w[i] = 0;
    for (int64_t i = 0; i < own->table.n * C * k; i++)
        grad_V[i] = 0;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = entries[e].feature, row = entries[e].row;
            const REAL x = entries[e].x;
            const REAL linear_scale = scale ? (REAL)scale[row] : 1;
            const int64_t slot = *slot_of++;
            for (int64_t c = 0; c < C; c++) {
                const REAL g = ((const REAL *)B->dscores)[row * C + c];
                const REAL *s = (const REAL *)B->s + (row * C + c) * k;
                const REAL *v = (const REAL *)fm->V + (feature * C + c) * k;
                REAL *grad_v = grad_V + (slot * C + c) * k;
                int64_t f = 0;
                grad_w[slot * C + c] += g * linear_scale * x;
#define PANEL(panel, width) OF_REAL(panel)(x, g * x, s + f, v + f, grad_v + f), f += width
                FM_PANELS(k, f, fm_sums_panel)
#undef PANEL
            }
        }
    }
}

static int64_t NAME(fm_sum_part)(const batch_data *B, int64_t part, thread_data *own)
{
    NAME(fm_find_slots)(B, part, own);
    OF_REAL(prefetch_states)(B, &own->sums, own->slots, own->table.n);
    NAME(fm_sum_gradients)(B, part, own);
    return own->table.n;
}
