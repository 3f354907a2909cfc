/* ffm_gradient, with g the loss gradient of a row and a = fields[i]:
 *     dw_i += g x_i,     dV[i, b] += g x_i ( S[b, a] - [a = b] V[i, a] x_i )     for the fields b of the row. */
static void NAME(ffm_gradient)(const fastfm_csr *X, const fastfm_model *ffm, int64_t begin, int64_t end,
                               const void *dscores, const void *sums, int64_t sums_stride, int64_t max_row,
                               const fastfm_gradient *gradient, int64_t slot_begin, int64_t slot_end,
                               void *scratch)
{
    const INDEX *slots = (const INDEX *)(gradient->slots ? gradient->slots : X->indices);
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, n = ffm->n_features, m = gradient->n_slots;
    const int64_t block = ffm->n_fields * k;
    NAME(ffm_row) row;
    NAME(ffm_row_place)(&row, scratch, max_row, ffm->n_fields);
    for (int64_t i = begin; i < end; i++) {
        NAME(ffm_row_load)(&row, X, ffm, i);
        for (int64_t c = 0; c < C; c++) {
            const REAL g = ((const REAL *)dscores)[(i - begin) * C + c];
            const REAL *S = (const REAL *)sums + (i - begin) * sums_stride + c * row.n_groups * row.n_groups * k;
            const REAL *V = (const REAL *)ffm->V + c * n * block;
            REAL *grad_w = (REAL *)gradient->w + c * m, *grad_V = (REAL *)gradient->V + c * m * block;
            if (g == 0)
                continue;
            for (int64_t a = 0; a < row.n_values; a++) {
                const int64_t slot = slots[row.position[a]];
                if (slot < slot_begin || slot >= slot_end)
                    continue;
                const REAL gx = g * row.x[a];
                REAL *grad = grad_V + slot * block;
                int64_t f = 0;
                grad_w[slot] += gx;
#define GRADIENT_VALUE(lanes)                                                                              \
    NAME(CONCAT(ffm_gradient_value_, lanes))(&row, a, V + f, k, S + f, gx, grad + f)
                FOR_FACTORS(k, f, GRADIENT_VALUE)
#undef GRADIENT_VALUE
            }
        }
    }
}
