/* fm_gradient, with g the loss gradient of a row and output:
 *
 *     dw_j += g x_j,     dv_jf += g x_j (s_f - v_jf x_j)
 *
 * Parameters and contract: gradient_kernel in table.h. The gradient row of value p is
 * gradient->slots[p], or its column if that is NULL. A row with g = 0 and an explicit zero add
 * nothing. Every thread walks all rows and adds what belongs to the gradient rows that it owns; so
 * each sum is made in row order, whatever the number of threads.
 * Template parameters: REAL, DATA, INDEX, NAME (instantiate.inc.h). */
#define FACTOR_BLOCK_FILE "kernels/fm/gradient_block.inc.h"
#define WIDE_BLOCKS
#include "kernels/factor_blocks.inc.h"

static void NAME(fm_gradient)(const fastfm_csr *X, const fastfm_model *fm, int64_t begin,
                              int64_t end, const void *dscores, const void *s_, int64_t max_row,
                              const fastfm_gradient *gradient, int64_t owned_begin,
                              int64_t owned_end, void *scratch)
{
    const INDEX *indptr = (const INDEX *)X->indptr;
    const INDEX *indices = (const INDEX *)X->indices;
    const INDEX *gradient_rows = gradient->slots ? (const INDEX *)gradient->slots : indices;
    const DATA *data = (const DATA *)X->data;
    const int64_t k = fm->n_factors, C = fm->n_outputs, distance = GRADIENT_DISTANCE;
    const int is_shared = owned_end - owned_begin < gradient->n_slots;
    (void)max_row, (void)scratch;
    for (int64_t i = begin; i < end; i++) {
        const int64_t p = indptr[i], z = indptr[i + 1] - p;
        for (int64_t c = 0; c < C; c++) {
            const REAL g = ((const REAL *)dscores)[(i - begin) * C + c];
            const REAL g_linear = X->linear_scale ? g * (REAL)X->linear_scale[i] : g;
            const REAL *s = (const REAL *)s_ + ((i - begin) * C + c) * k;
            const REAL *V = (const REAL *)fm->V + c * k;
            REAL *grad_w = (REAL *)gradient->w + c, *grad_V = (REAL *)gradient->V + c * k;
            int64_t f = 0;
            if (g == 0)
                continue;
#define ADD_BLOCK(width, vectors)                                                                  \
    NAME(FACTOR_BLOCK(fm_gradient, width, vectors))(                                               \
        indices + p, gradient_rows + p, data + p, z, distance, X->nnz - p, owned_begin, owned_end, \
        is_shared, g, g_linear, s + f, V + f, C * k, f ? NULL : grad_w, C, grad_V + f)
            FOR_WIDE_FACTOR_BLOCKS(k, f, ADD_BLOCK)
#undef ADD_BLOCK
        }
    }
}
