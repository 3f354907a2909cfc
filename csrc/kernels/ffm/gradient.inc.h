/* ffm_gradient, with g the loss gradient of a row and a = fields[i]:
 *
 *     dw_i += g x_i
 *     dV[i, b] += g x_i ( S[b, a] - [a = b] V[i, a] x_i )     for the fields b of the row */
static void NAME(ffm_gradient_row)(OF_REAL(ffm_row) * row, const INDEX *slots, int64_t slot_begin,
                                   int64_t slot_end, int64_t k, int64_t stride, REAL gradient,
                                   const REAL *V, REAL *grad_w, int64_t C, REAL *grad_V,
                                   const OF_REAL(ffm_prefetch) * next)
{
    for (int64_t g = 0; g < row->n_groups; g++) {
        const int64_t own = row->field[g];
        int summed = 0; /* whether row->sums holds S[h, g] of all groups h */
        for (int64_t a = row->group_begin[g]; a < row->group_begin[g + 1]; a++) {
            const int64_t slot = slots[row->position[a]];
            const REAL gx = gradient * row->x[a];
            int64_t f = 0;
            OF_REAL(ffm_prefetch_value)(next, a);
            if (slot < slot_begin || slot >= slot_end)
                continue;
            if (!summed) {
#define SUMS_FOR(lanes) OF_REAL(CONCAT(ffm_sums_for_, lanes))(row, V + own + f, k, row->sums + f)
                FOR_FACTORS(k, f, SUMS_FOR)
#undef SUMS_FOR
                summed = 1;
                f = 0;
            }
            grad_w[slot * C] += gx;
#define GRADIENT_VALUE(lanes)                                                                     \
    OF_REAL(CONCAT(ffm_gradient_value_, lanes))(row, own, V + row->block[a] + own + f, row->x[a], \
                                                k, row->sums + f, gx, grad_V + slot * stride + f)
            FOR_FACTORS(k, f, GRADIENT_VALUE)
#undef GRADIENT_VALUE
        }
    }
}

static void NAME(ffm_gradient)(const fastfm_csr *X, const fastfm_model *ffm, int64_t begin,
                               int64_t end, const void *dscores, const void *sums, int64_t max_row,
                               const fastfm_gradient *gradient, int64_t slot_begin,
                               int64_t slot_end, void *scratch)
{
    const INDEX *slots = (const INDEX *)(gradient->slots ? gradient->slots : X->indices);
    const int64_t k = ffm->n_factors, C = ffm->n_outputs;
    const int64_t block = ffm->n_fields * k;
    OF_REAL(ffm_row) row;
    (void)sums;
    OF_REAL(ffm_row_place)(&row, scratch, max_row, ffm->n_fields);
    for (int64_t i = begin; i < end; i++) {
        NAME(ffm_load)(&row, X, ffm, i);
        for (int64_t c = 0; c < C; c++) {
            const REAL g = ((const REAL *)dscores)[(i - begin) * C + c];
            const OF_REAL(ffm_prefetch) next = OF_REAL(ffm_prefetch_after)(&row, X, ffm, i, c);
            if (g != 0)
                NAME(ffm_gradient_row)(&row, slots, slot_begin, slot_end, k, C * block, g,
                                       (const REAL *)ffm->V + c * block, (REAL *)gradient->w + c, C,
                                       (REAL *)gradient->V + c * block, &next);
        }
    }
}
