/* fm_add_gradient_<width>x<vectors>: grad_v += gx (s - v x) over one factor block of one value.
 * s, v and grad_v point at the block's first factor and do not overlap; gx is g x.
 * Template parameters: REAL (instantiate.inc.h), BLOCK_... and OP (factor_blocks.inc.h). */
FORCE_INLINE void BLOCK_NAME(fm_add_gradient)(REAL x, REAL gx, const REAL *RESTRICT s,
                                              const REAL *RESTRICT v, REAL *RESTRICT grad_v)
{
    const BLOCK_VEC xs = OP(_broadcast)(x), gxs = OP(_broadcast)(gx);
    for (int b = 0; b < BLOCK_VECTORS; b++) {
        const int64_t f = b * BLOCK_WIDTH;
        const BLOCK_VEC rest = OP(_sub)(OP(_load)(s + f), OP(_mul)(OP(_load)(v + f), xs));
        OP(_store)(grad_v + f, OP(_add)(OP(_load)(grad_v + f), OP(_mul)(gxs, rest)));
    }
}
