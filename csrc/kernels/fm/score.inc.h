/* fm_score (Rendle 2010, eq. 1 and lemma 3.1), for each row x and output:
 *
 *     y = w0 + sum_j w_j x_j + 1/2 sum_f [ s_f^2 - sum_j (v_jf x_j)^2 ],     s_f = sum_j v_jf x_j
 *
 * Parameters and contract: score_kernel in table.h. w is (n_features, C), V (n_features, C, k); an
 * explicit zero is no value, whatever its parameters are.
 * The factors are covered by wide factor blocks. Each block walks the row once; the first one takes
 * the linear part along. The linear part of row i is multiplied by
 * linear_scale[i] unless that is NULL.
 * Template parameters: REAL, DATA, INDEX, NAME (instantiate.inc.h), and those of stored.inc.h, which
 * are undefined at the end. */
#define FACTOR_BLOCK_FILE "kernels/fm/score_block.inc.h"
#define WIDE_BLOCKS
#include "kernels/factor_blocks.inc.h"

static void NAME(FM_SCORE)(const fastfm_csr *X, const double *linear_scale, const fastfm_model *fm,
                           int64_t begin, int64_t end, void *scores_, void *s_, int64_t max_row,
                           void *scratch)
{
    const INDEX *indptr = (const INDEX *)X->indptr;
    const INDEX *indices = (const INDEX *)X->indices;
    const DATA *data = (const DATA *)X->data;
    const int64_t k = fm->n_factors, C = fm->n_outputs;
    REAL *scores = (REAL *)scores_, *all_s = (REAL *)s_;
    const int64_t distance = prefetch_distance(C * k * (int64_t)sizeof(STORED));
    (void)max_row, (void)scratch;
    for (int64_t i = begin; i < end; i++) {
        const int64_t p = indptr[i], z = indptr[i + 1] - p;
        for (int64_t c = 0; c < C; c++) {
            const STORED_W *w = (const STORED_W *)fm->w + c;
            const STORED *V = (const STORED *)fm->V + c * k;
            REAL *s = all_s ? all_s + ((i - begin) * C + c) * k : NULL;
            REAL linear = 0, pairs = 0;
            int64_t f = 0;
#define ADD_BLOCK(width, vectors)                                                                 \
    pairs += NAME(FACTOR_BLOCK(FM_SCORE, width, vectors))(fm, indices + p, data + p, z, distance, \
                                                          X->nnz - p, f ? NULL : w, C, V + f,     \
                                                          C * k, s ? s + f : NULL, &linear)
            FOR_WIDE_FACTOR_BLOCKS(k, f, ADD_BLOCK)
#undef ADD_BLOCK
            if (linear_scale)
                linear *= (REAL)linear_scale[i];
            scores[(i - begin) * C + c] = ((const REAL *)fm->w0)[c] + linear + (REAL)0.5 * pairs;
        }
    }
}
#undef FM_SCORE
#undef STORED
#undef STORED_W
#undef SCALE_OF
#undef LOAD
#undef LOAD_W
#undef IS_SMALL
