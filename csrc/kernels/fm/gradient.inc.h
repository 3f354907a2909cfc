/* fm_gradient, with g the loss gradient of a row and output:
 *
 *     dw_j += g x_j,     dv_jf += g x_j (s_f - v_jf x_j)
 *
 * Parameters and contract: gradient_kernel in update/batch.h. A row with g = 0 and an explicit zero
 * add nothing. Every thread walks all rows of the batch and adds what belongs to the features
 * that it owns; so each sum is made in row order, whatever the number of threads.
 * Template parameters: REAL, DATA, INDEX, NAME (instantiate.inc.h). */
#define FACTOR_BLOCK_FILE "kernels/fm/gradient_block.inc.h"
#define WIDE_BLOCKS
#include "kernels/factor_blocks.inc.h"

/* The rows of one row block, of which the first is row `begin` of the batch. */
static void NAME(fm_gradient_rows)(const batch_view *batch, const fastfm_csr *rows, int64_t begin,
                                   int64_t owned_begin, int64_t owned_end)
{
    const fastfm_model *fm = batch->model;
    const INDEX *indptr = (const INDEX *)rows->indptr, *indices = (const INDEX *)rows->indices;
    const DATA *data = (const DATA *)rows->data;
    const int64_t k = fm->n_factors, C = fm->n_outputs;
    const int is_shared = owned_end - owned_begin < fm->n_features;
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const int64_t p = indptr[i], z = indptr[i + 1] - p, at = begin + i;
        for (int64_t c = 0; c < C; c++) {
            const REAL g = ((const REAL *)batch->dscores)[at * C + c];
            const REAL g_linear = batch->linear_scale ? g * (REAL)batch->linear_scale[at] : g;
            const REAL *s = (const REAL *)batch->s + (at * C + c) * k;
            const REAL *V = (const REAL *)fm->V + c * k;
            REAL *grad_w = (REAL *)batch->updated.w + c, *grad_V = (REAL *)batch->updated.V + c * k;
            int64_t f = 0;
            if (g == 0)
                continue;
#define ADD_BLOCK(width, vectors)                                                                \
    NAME(FACTOR_BLOCK(fm_gradient, width, vectors))(                                             \
        indices + p, data + p, z, rows->nnz - p, owned_begin, owned_end, is_shared, g, g_linear, \
        s + f, V + f, C * k, f ? NULL : grad_w, C, grad_V + f)
            FOR_WIDE_FACTOR_BLOCKS(k, f, ADD_BLOCK)
#undef ADD_BLOCK
        }
    }
}

static void NAME(fm_gradient)(const batch_view *batch, int64_t owned_begin, int64_t owned_end)
{
    for (int64_t block = 0; block < batch->n_blocks; block++)
        NAME(fm_gradient_rows)(batch, &batch->block_rows[block], batch->block_begin[block],
                               owned_begin, owned_end);
}
