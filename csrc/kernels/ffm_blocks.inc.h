/* ffm_blocks: scores rows as ffm_score does, and keeps what their gradients are made of. */
static void NAME(ffm_blocks)(const batch_data *B, int64_t begin, int64_t end, void *scratch)
{
    const fastfm_model *ffm = B->model;
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, block = ffm->n_fields * k;
    fastfm_csr X = B->X;
    OF_REAL(ffm_row) row;
    /* What is prefetched is not in the next block, which another thread may be copying. */
    X.nnz = ((const INDEX *)X.indptr)[end];
    OF_REAL(ffm_row_place)(&row, scratch, B->max_row, ffm->n_fields);
    for (int64_t i = begin; i < end; i++) {
        NAME(ffm_load)(&row, &X, ffm, i);
        OF_REAL(ffm_keep_fields)(B, &row, i);
        for (int64_t c = 0; c < C; c++) {
            const REAL *w = (const REAL *)ffm->w + c, *V = (const REAL *)ffm->V + c * block;
            const int64_t length = row.n_groups * k;
            REAL *kept = (REAL *)B->gradients + B->gradient_begin[i] + c * length;
            OF_REAL(ffm_prefetch) next = OF_REAL(ffm_prefetch_after)(&row, &X, ffm, i, c);
            REAL score = ((const REAL *)ffm->w0)[c] + OF_REAL(ffm_linear)(&row, w, C);
            if (row.n_groups == row.n_values) {
                score += OF_REAL(ffm_keep_pairs)(&row, V, kept, C * length, k, &next);
            } else {
                score += OF_REAL(ffm_pairs)(&row, V, k, block, &next);
                OF_REAL(ffm_keep_sums)(&row, V, kept, C * length, k);
            }
            ((REAL *)B->scores)[i * C + c] = score;
        }
    }
}
