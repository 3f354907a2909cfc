/* widen: n stored numbers as the float32 numbers that they stand for; scale: of int8 alone.
 * Template parameters: REAL (float), NAME, VEC (instantiate.inc.h). */
static void NAME(widen)(fastfm_storage storage, const void *stored, int64_t n, float scale,
                        float *RESTRICT out)
{
    const uint16_t *halves = (const uint16_t *)stored;
    const int8_t *bytes = (const int8_t *)stored;
    int64_t f = 0;
#define WIDEN_HALF(width, vectors) VEC(width, _store)(out + f, VEC(width, _load_half)(halves + f))
#define WIDEN_BYTE(width, vectors)                                                  \
    VEC(width, _store)(out + f, VEC(width, _mul)(VEC(width, _load_byte)(bytes + f), \
                                                 VEC(width, _broadcast)(scale)))
    if (storage == FASTFM_HALF) {
        FOR_FACTOR_BLOCKS(n, f, WIDEN_HALF)
    } else {
        FOR_FACTOR_BLOCKS(n, f, WIDEN_BYTE)
    }
#undef WIDEN_HALF
#undef WIDEN_BYTE
}
