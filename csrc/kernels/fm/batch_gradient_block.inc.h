/* fm_sums_panel_<width>x<vectors>: grad_v += gx (s - v x) for these factors of one value. */
#define PANEL_TYPE VEC(PANEL_WIDTH, )
#define OP(op) VEC(PANEL_WIDTH, op)
FORCE_INLINE void NAME(CONCAT(CONCAT(fm_sums_panel_, PANEL_WIDTH), CONCAT(x, PANEL_VECTORS)))(
    REAL x, REAL gx, const REAL *RESTRICT s, const REAL *RESTRICT v, REAL *RESTRICT grad_v)
{
    const PANEL_TYPE xs = OP(_broadcast)(x), gxs = OP(_broadcast)(gx);
    for (int b = 0; b < PANEL_VECTORS; b++) {
        const int64_t f = b * PANEL_WIDTH;
        const PANEL_TYPE rest = OP(_sub)(OP(_load)(s + f), OP(_mul)(OP(_load)(v + f), xs));
        OP(_store)(grad_v + f, OP(_add)(OP(_load)(grad_v + f), OP(_mul)(gxs, rest)));
    }
}
#undef OP
#undef PANEL_TYPE
#undef PANEL_VECTORS
#undef PANEL_WIDTH
