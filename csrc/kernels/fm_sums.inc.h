/* fm_sum_gradients: for the features of one part, over the rows of a batch in row order
 *
 *     dw_j = sum g x_j,     dv_jf = sum g x_j (s_f - v_jf x_j) */
static void NAME(fm_sum_gradients)(const batch_data *B, int64_t part, const part_data *found)
{
    const DATA *data = (const DATA *)B->X.data;
    const fastfm_model *fm = B->model;
    const int64_t k = fm->n_factors, C = fm->n_outputs;
    const int32_t *slot_of = found->slot_of;
    const double *scale = B->X.linear_scale;
    for (int64_t i = 0; i < found->n_slots * C * k; i++)
        ((REAL *)found->grad_V)[i] = 0;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = B->entries[e].feature, row = B->entries[e].row;
            const REAL x = (REAL)data[B->entries[e].position];
            const REAL linear_scale = scale ? (REAL)scale[row] : 1;
            const int64_t slot = *slot_of++;
            for (int64_t c = 0; c < C; c++) {
                const REAL g = ((const REAL *)B->dscores)[row * C + c];
                const REAL *s = (const REAL *)B->kept + (row * C + c) * k;
                const REAL *v = (const REAL *)fm->V + (feature * C + c) * k;
                REAL *grad_v = (REAL *)found->grad_V + (slot * C + c) * k;
                int64_t f = 0;
                ((REAL *)found->grad_w)[slot * C + c] += g * linear_scale * x;
#define PANEL(panel, width) OF_REAL(panel)(x, g * x, s + f, v + f, grad_v + f), f += width
                FM_PANELS(k, f, fm_sums_panel)
#undef PANEL
            }
        }
    }
}
