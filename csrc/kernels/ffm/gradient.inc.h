/* ffm_gradient, with g the loss gradient of a row and output, and a = fields[i]:
 *
 *     dw_i    += g x_i
 *     dV[i, b] += g x_i ( S[b, a] - [a = b] V[i, a] x_i )     for the fields b of the row
 *
 * Parameters and contract: gradient_kernel in table.h. The gradient row of value p is
 * gradient->slots[p], or its column if that is NULL.
 * Template parameters: REAL, INDEX, NAME, OF_REAL (instantiate.inc.h). */

/* One row and output. V, grad_w and grad_V are of this output; rows of grad_V are feature_stride
 * apart, those of grad_w C. S of a field is made when the first owned value of the field comes. */
static void NAME(ffm_gradient_row)(OF_REAL(ffm_row) * row, const INDEX *gradient_rows,
                                   int64_t owned_begin, int64_t owned_end, int64_t k,
                                   int64_t feature_stride, REAL g, const REAL *V, REAL *grad_w,
                                   int64_t C, REAL *grad_V, const OF_REAL(ffm_prefetch) * next)
{
    for (int64_t group = 0; group < row->n_groups; group++) {
        const int64_t field = row->field[group];
        int has_sums = 0; /* whether row->sums holds S[h, group] of all groups h */
        for (int64_t a = row->group_begin[group]; a < row->group_begin[group + 1]; a++) {
            const int64_t target = gradient_rows[row->position[a]];
            const REAL gx = g * row->x[a];
            int64_t f = 0;
            OF_REAL(ffm_prefetch_value)(next, a);
            if (target < owned_begin || target >= owned_end)
                continue;
            if (!has_sums) {
#define MAKE_SUMS(width, vectors) \
    OF_REAL(FACTOR_BLOCK(ffm_sums_for_field, width, vectors))(row, V + field + f, k, row->sums + f)
                FOR_FACTOR_BLOCKS(k, f, MAKE_SUMS)
#undef MAKE_SUMS
                has_sums = 1;
                f = 0;
            }
            grad_w[target * C] += gx;
#define ADD_BLOCK(width, vectors)                                                   \
    OF_REAL(FACTOR_BLOCK(ffm_add_gradient, width, vectors))                         \
    (row, field, V + row->V_offset[a] + field + f, row->x[a], k, row->sums + f, gx, \
     grad_V + target * feature_stride + f)
            FOR_FACTOR_BLOCKS(k, f, ADD_BLOCK)
#undef ADD_BLOCK
        }
    }
}

/* The kernel. A row is loaded once for all outputs; a row and output with g = 0 adds nothing. Every
 * thread loads all rows, and skips the values that it does not own. */
static void NAME(ffm_gradient)(const fastfm_csr *X, const fastfm_model *ffm, int64_t begin,
                               int64_t end, const void *dscores, const void *s, int64_t max_row,
                               const fastfm_gradient *gradient, int64_t owned_begin,
                               int64_t owned_end, void *scratch)
{
    const INDEX *gradient_rows = (const INDEX *)(gradient->slots ? gradient->slots : X->indices);
    const int64_t k = ffm->n_factors, C = ffm->n_outputs;
    const int64_t output_stride = ffm->n_fields * k;
    OF_REAL(ffm_row) row;
    (void)s;
    OF_REAL(ffm_row_place)(&row, scratch, max_row, ffm->n_fields);
    for (int64_t i = begin; i < end; i++) {
        NAME(ffm_load)(&row, X, ffm, i);
        for (int64_t c = 0; c < C; c++) {
            const REAL g = ((const REAL *)dscores)[(i - begin) * C + c];
            const OF_REAL(ffm_prefetch) next = OF_REAL(ffm_prefetch_after)(&row, X, ffm, i, c);
            if (g != 0)
                NAME(ffm_gradient_row)(
                    &row, gradient_rows, owned_begin, owned_end, k, C * output_stride, g,
                    (const REAL *)ffm->V + c * output_stride, (REAL *)gradient->w + c, C,
                    (REAL *)gradient->V + c * output_stride, &next);
        }
    }
}
