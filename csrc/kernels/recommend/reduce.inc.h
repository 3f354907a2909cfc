/* reduce_row: the sums of a row, for recommending,
 *
 *     FM   s_f = sum_j v_jf x_j          FFM   S[a, b] = sum_{j in a} V[j, b] x_j
 *
 * and its linear part sum_j w_j x_j. Parameters and contract: reduce_kernel_of_row in
 * recommend/views.h, which says where a value adds to. The values of a row are added by runs of RUN,
 * and then runs, so that long rows lose no accuracy. A value of zero is no value.
 * Small parameters are widened piece by piece, so the bits are those of the model with their numbers.
 * Template parameters: REAL, DATA, INDEX, NAME, OF_REAL, HAS_SMALL (instantiate.inc.h). */

/* s_f += x times number at + f of V, f in [0, k); scale: of V's numbers, where they are int8. */
FORCE_INLINE void NAME(add_factors)(const fastfm_model *model, int64_t at, int64_t k, REAL x,
                                    float scale, REAL *RESTRICT s)
{
    const REAL *RESTRICT v = (const REAL *)model->V + at;
    (void)scale;
#ifdef HAS_SMALL
    if (model->small.storage != FASTFM_AS_REAL) {
        const int64_t size = stored_size(model);
        const char *stored = (const char *)model->V + at * size;
        float piece[WIDENED];
        for (int64_t first = 0; first < k; first += WIDENED) {
            const int64_t n = min_i64(WIDENED, k - first);
            OF_REAL(widen)
            (model->small.storage, stored + first * size, n, scale, piece);
            for (int64_t f = 0; f < n; f++)
                s[first + f] += piece[f] * x;
        }
        return;
    }
#endif
    for (int64_t f = 0; f < k; f++)
        s[f] += v[f] * x;
}

/* w of feature j, and the scale of its V. */
FORCE_INLINE REAL NAME(linear_weight)(const fastfm_model *model, int64_t j, float *scale)
{
    *scale = 1;
#ifdef HAS_SMALL
    if (model->small.storage == FASTFM_HALF)
        return f32x1_load_half((const uint16_t *)model->w + j);
    if (model->small.storage == FASTFM_BYTE)
        *scale = scale_of_feature(model, j);
#endif
    return ((const REAL *)model->w)[j];
}

/* Values [p, end) of the row, into sums. */
FORCE_INLINE REAL NAME(reduce_run)(const fastfm_csr *X, const reduction *reduced, int64_t p,
                                   int64_t end, REAL *RESTRICT sums, uint8_t *RESTRICT has_field)
{
    const fastfm_model *model = reduced->model;
    const int64_t k = model->n_factors, stride = feature_stride(model);
    REAL linear = 0;
    for (; p < end; p++) {
        const REAL x = (REAL)((const DATA *)X->data)[p];
        if (x == 0)
            continue;
        const int64_t j = ((const INDEX *)X->indices)[p], a = model->fields ? model->fields[j] : 0;
        const int64_t first = reduced->is_context ? a * reduced->n_slots
                              : reduced->slots    ? reduced->slots[a]
                                                  : 0;
        float scale;
        linear += NAME(linear_weight)(model, j, &scale) * x;
        has_field[a] = 1;
        for (int64_t t = 0; t < reduced->n_targets; t++) {
            const int64_t source = reduced->is_context && reduced->fields ? reduced->fields[t] : t;
            NAME(add_factors)(model, j * stride + source * k, k, x, scale,
                              sums + (first + t * reduced->step) * k);
        }
    }
    return linear;
}

static void NAME(reduce_row)(const fastfm_csr *X, const reduction *reduced, int64_t row,
                             void *sums_, void *linear, uint8_t *has_field, void *run_)
{
    const INDEX *indptr = (const INDEX *)X->indptr;
    const int64_t begin = indptr[row], end = indptr[row + 1], n_terms = reduced->n_terms;
    REAL *RESTRICT sums = (REAL *)sums_, *RESTRICT run = (REAL *)run_;
    REAL total = 0;
    if (end - begin <= RUN) { /* one run is the row: the same sums without scratch */
        *(REAL *)linear = NAME(reduce_run)(X, reduced, begin, end, sums, has_field);
        return;
    }
    for (int64_t p = begin; p < end; p += RUN) {
        memset(run, 0, (size_t)n_terms * sizeof *run);
        total += NAME(reduce_run)(X, reduced, p, min_i64(p + RUN, end), run, has_field);
        for (int64_t f = 0; f < n_terms; f++)
            sums[f] += run[f];
    }
    *(REAL *)linear = total;
}
