/* ffm_score (Juan et al. 2016, eq. 4, plus bias and linear terms), for each row and output:
 *
 *     y = w0 + sum_i w_i x_i + pairs,     pairs as in pairs.inc.h
 *
 * Parameters and contract: score_kernel in table.h. w is (n_features, C), V (n_features, C, F, k).
 * The last row stays in scratch, grouped by field: ffm_accumulate_row learns from it.
 * Template parameters: REAL, NAME, OF_REAL (instantiate.inc.h). */
static void NAME(ffm_score)(const fastfm_csr *X, const double *linear_scale,
                            const fastfm_model *ffm, int64_t begin, int64_t end, void *scores_,
                            void *s, int64_t max_row, void *scratch)
{
    const int64_t k = ffm->n_factors, C = ffm->n_outputs;
    const int64_t output_stride = ffm->n_fields * k;
    REAL *scores = (REAL *)scores_;
    OF_REAL(ffm_row) row;
    (void)s, (void)linear_scale;
    OF_REAL(ffm_row_place)(&row, scratch, max_row, ffm->n_fields);
    for (int64_t i = begin; i < end; i++) {
        NAME(ffm_load)(&row, X, ffm, i);
        for (int64_t c = 0; c < C; c++) {
            const REAL *w = (const REAL *)ffm->w + c, *V = (const REAL *)ffm->V + c * output_stride;
            OF_REAL(ffm_prefetch) next = OF_REAL(ffm_prefetch_after)(&row, X, ffm, i, c);
            const REAL linear = ((const REAL *)ffm->w0)[c] + OF_REAL(ffm_linear)(&row, w, C);
            scores[(i - begin) * C + c] =
                linear + OF_REAL(ffm_pairs)(&row, V, k, output_stride, &next);
        }
    }
}
