/* fm_gradient, with g the loss gradient of a row:
 *
 *     dw_j += g x_j,     dv_jf += g x_j (s_f - v_jf x_j) */
#define PANEL_FILE "kernels/fm/gradient_block.inc.h"
#include "kernels/fm/factor_blocks.inc.h"

static void NAME(fm_gradient)(const fastfm_csr *X, const fastfm_model *fm, int64_t begin,
                              int64_t end, const void *dscores, const void *sums, int64_t max_row,
                              const fastfm_gradient *gradient, int64_t slot_begin, int64_t slot_end,
                              void *scratch)
{
    const INDEX *indptr = (const INDEX *)X->indptr;
    const INDEX *indices = (const INDEX *)X->indices;
    const INDEX *slots = gradient->slots ? (const INDEX *)gradient->slots : indices;
    const DATA *data = (const DATA *)X->data;
    const int64_t k = fm->n_factors, C = fm->n_outputs, distance = GRADIENT_DISTANCE;
    const int shared = slot_end - slot_begin < gradient->n_slots;
    (void)max_row, (void)scratch;
    for (int64_t i = begin; i < end; i++) {
        const int64_t p = indptr[i], z = indptr[i + 1] - p;
        for (int64_t c = 0; c < C; c++) {
            const REAL g = ((const REAL *)dscores)[(i - begin) * C + c];
            const REAL g_linear = X->linear_scale ? g * (REAL)X->linear_scale[i] : g;
            const REAL *s = (const REAL *)sums + ((i - begin) * C + c) * k;
            const REAL *V = (const REAL *)fm->V + c * k;
            REAL *grad_w = (REAL *)gradient->w + c, *grad_V = (REAL *)gradient->V + c * k;
            int64_t f = 0;
            if (g == 0)
                continue;
#define PANEL(panel, width)                                                                      \
    NAME(panel)(indices + p, slots + p, data + p, z, distance, X->nnz - p, slot_begin, slot_end, \
                shared, g, g_linear, s + f, V + f, C * k, f ? NULL : grad_w, C, grad_V + f),     \
        f += width
            FM_PANELS(k, f, fm_gradient_panel)
#undef PANEL
        }
    }
}
