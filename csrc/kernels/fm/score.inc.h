/* fm_score (Rendle 2010, eq. 1 and lemma 3.1):
 *
 *     y = w0 + sum_j w_j x_j + 1/2 sum_f [ s_f^2 - sum_j (v_jf x_j)^2 ],     s_f = sum_j v_jf x_j
 *
 * A panel is the part of V that one pass over a row's values takes: 64, 32, 16, 8, 4 or 1
 * factors. */
#define PANEL_FILE "kernels/fm/score_block.inc.h"
#include "kernels/fm/factor_blocks.inc.h"

static void NAME(fm_score)(const fastfm_csr *X, const fastfm_model *fm, int64_t begin, int64_t end,
                           void *scores_, void *sums_, int64_t max_row, void *scratch)
{
    const INDEX *indptr = (const INDEX *)X->indptr;
    const INDEX *indices = (const INDEX *)X->indices;
    const DATA *data = (const DATA *)X->data;
    const int64_t k = fm->n_factors, C = fm->n_outputs;
    REAL *scores = (REAL *)scores_, *sums = (REAL *)sums_;
    const int64_t distance = prefetch_distance(C * k * (int64_t)sizeof(REAL));
    (void)max_row, (void)scratch;
    for (int64_t i = begin; i < end; i++) {
        const int64_t p = indptr[i], z = indptr[i + 1] - p;
        for (int64_t c = 0; c < C; c++) {
            const REAL *w = (const REAL *)fm->w + c, *V = (const REAL *)fm->V + c * k;
            REAL *s = sums ? sums + ((i - begin) * C + c) * k : NULL;
            REAL linear = 0, pairs = 0;
            int64_t f = 0;
/* One output has strides that the compiler knows: 2 % at k = 64. */
#define PANEL_OF(panel, C)                                                                       \
    NAME(panel)(indices + p, data + p, z, distance, X->nnz - p, f ? NULL : w, C, V + f, (C) * k, \
                s ? s + f : NULL, &linear)
#define PANEL(panel, width) pairs += C == 1 ? PANEL_OF(panel, 1) : PANEL_OF(panel, C), f += width
            FM_PANELS(k, f, fm_panel)
#undef PANEL
#undef PANEL_OF
            if (X->linear_scale)
                linear *= (REAL)X->linear_scale[i];
            scores[(i - begin) * C + c] = ((const REAL *)fm->w0)[c] + linear + (REAL)0.5 * pairs;
        }
    }
}
