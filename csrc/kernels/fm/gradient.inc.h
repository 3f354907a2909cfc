/* fm_gradient, with g the loss gradient of a row:
 *
 *     dw_j += g x_j,     dv_jf += g x_j (s_f - v_jf x_j)
 *
 * for all rows of the batch B, in their order, and the features of one share, into B->target. */
#define PANEL_FILE "kernels/fm/gradient_block.inc.h"
#include "kernels/fm/factor_blocks.inc.h"

static void NAME(fm_gradient)(const batch_data *B, int64_t share, int64_t n_shares)
{
    const fastfm_model *fm = B->model;
    const INDEX *indptr = (const INDEX *)B->X.indptr;
    const INDEX *indices = (const INDEX *)B->X.indices;
    const DATA *data = (const DATA *)B->X.data;
    const int64_t k = fm->n_factors, C = fm->n_outputs;
    for (int64_t i = 0; i < B->X.n_rows; i++) {
        const int64_t p = indptr[i], z = indptr[i + 1] - p;
        for (int64_t c = 0; c < C; c++) {
            const REAL g = ((const REAL *)B->dscores)[i * C + c];
            const REAL g_linear = B->X.linear_scale ? g * (REAL)B->X.linear_scale[i] : g;
            const REAL *s = (const REAL *)B->s + (i * C + c) * k;
            const REAL *V = (const REAL *)fm->V + c * k;
            REAL *grad_w = (REAL *)B->target.w + c, *grad_V = (REAL *)B->target.V + c * k;
            int64_t f = 0;
            if (g == 0)
                continue;
#define PANEL(panel, width)                                                                      \
    NAME(panel)(indices + p, data + p, z, GRADIENT_DISTANCE, B->X.nnz - p, share, n_shares, g,    \
                g_linear, s + f, V + f, C * k, f ? NULL : grad_w, C, grad_V + f),                \
        f += width
            FM_PANELS(k, f, fm_gradient_panel)
#undef PANEL
        }
    }
}
