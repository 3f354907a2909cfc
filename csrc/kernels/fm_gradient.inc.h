/* fm_gradient, with g the loss gradient of a row:  dw_j += g x_j,  dv_jf += g x_j (s_f - v_jf x_j). */
FORCE_INLINE void NAME(fm_gradient_value)(const REAL *RESTRICT v, const REAL *RESTRICT s, REAL x, REAL gx,
                                          int64_t k, REAL *RESTRICT grad_v)
{
    int64_t f = 0;
#define FACTORS(width)                                                                                     \
    for (; k - f >= width; f += width) {                                                                   \
        VEC(width, ) self = VEC(width, _mul)(VEC(width, _load)(v + f), VEC(width, _broadcast)(x));          \
        VEC(width, ) rest = VEC(width, _sub)(VEC(width, _load)(s + f), self);                              \
        VEC(width, ) step = VEC(width, _mul)(VEC(width, _broadcast)(gx), rest);                            \
        VEC(width, _store)(grad_v + f, VEC(width, _add)(VEC(width, _load)(grad_v + f), step));             \
    }
    FACTORS(16)
    FACTORS(8)
    FACTORS(4)
    FACTORS(1)
#undef FACTORS
}

static void NAME(fm_gradient)(const fastfm_csr *X, const fastfm_model *fm, int64_t begin, int64_t end,
                              const void *dscores, const void *sums, int64_t sums_stride,
                              int64_t max_row, const fastfm_gradient *gradient, int64_t slot_begin, int64_t slot_end,
                              void *scratch)
{
    const INDEX *indptr = (const INDEX *)X->indptr;
    const INDEX *indices = (const INDEX *)X->indices;
    const INDEX *slots = gradient->slots ? (const INDEX *)gradient->slots : indices;
    const DATA *data = (const DATA *)X->data;
    const int64_t k = fm->n_factors, C = fm->n_outputs, n = fm->n_features, m = gradient->n_slots;
    const uint64_t n_owned = (uint64_t)(slot_end - slot_begin);
    const int64_t row_bytes = k * (int64_t)sizeof(REAL);
    const int64_t distance = prefetch_distance(2 * row_bytes);
    (void)max_row, (void)scratch;
    for (int64_t c = 0; c < C; c++) {
        const REAL *V = (const REAL *)fm->V + c * n * k;
        REAL *grad_w = (REAL *)gradient->w + c * m, *grad_V = (REAL *)gradient->V + c * m * k;
        for (int64_t i = begin; i < end; i++) {
            const REAL g = ((const REAL *)dscores)[(i - begin) * C + c];
            const REAL *s = (const REAL *)sums + (i - begin) * sums_stride + c * k;
            if (g == 0)
                continue;
            for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
                const int64_t ahead = min_i64(p + distance, X->nnz - 1), next = slots[ahead];
                if ((uint64_t)(next - slot_begin) < n_owned) {
                    prefetch_row(grad_V, next, row_bytes, row_bytes);
                    prefetch_row(V, indices[ahead], row_bytes, row_bytes);
                    prefetch_row(grad_w, next, sizeof(REAL), 1);
                }
                const int64_t slot = slots[p];
                const REAL x = (REAL)data[p];
                if ((uint64_t)(slot - slot_begin) >= n_owned || x == 0)
                    continue;
                const REAL gx = g * x;
                grad_w[slot] += gx;
                NAME(fm_gradient_value)(V + indices[p] * (int64_t)k, s, x, gx, k, grad_V + slot * k);
            }
        }
    }
}
