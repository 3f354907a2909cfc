/* What every instruction set header provides.
 *
 * For real in {f32, f64} and W in {1, 4, 8, 16} a vector type <real>xW of W lanes, and on it
 *
 *     load(p)       W numbers from p, of any alignment        zero()
 *     store(p, a)   to p, of any alignment                    add(a, b)  sub(a, b)  mul(a, b)
 *     broadcast(x)  x in all lanes                            sum(a)     all lanes, see below
 *
 * as functions <real>xW_<op>. sum adds the upper half of the lanes to the lower one until one lane
 * is left: (l0 + l2) + (l1 + l3) for four lanes. No operation is fused with another. So every
 * instruction set gives the same bits, whether W lanes are one register or several.
 *
 * Of f32xW also load_half(p), W numbers of IEEE binary16 (held in uint16_t), and load_byte(p), W numbers
 * of int8; both are exact, so that every instruction set gives the same bits (but which NaN a NaN
 * becomes is its choice).
 *
 * And <real>x16_transpose(v): treats four vectors of 16 lanes as a 4 x 4 matrix whose elements are
 * groups of four lanes, and transposes it.
 *
 * VECTOR_BYTES says how many bytes all vector registers hold, and so how large a tile of sums may be.
 * LANES_F32 and LANES_F64 are the lanes of its registers: kernels choose by them what stays in these,
 * and never in which order they add.
 *
 * A header writes its native types with VECTOR_OPS, and makes each wider type of two halves with
 * VECTOR_PAIR. If x16 is such a pair of x8, VECTOR_TRANSPOSE makes its transpose from two more
 * operations on x8: concat_low_halves(a, b), the lower half of a and then that of b, and
 * concat_high_halves(a, b); VECTOR_PAIR_CONCAT gives them to an x8 that is a pair itself.
 * A new instruction set is one such header, one file in kernels/ like avx2.c, and its line in
 * kernels/table.h and kernels/dispatch.c. */
#ifndef FASTFM_VECTOR_H
#define FASTFM_VECTOR_H

#include <string.h>

#include "base/common.h"

/* The number of an IEEE binary16. Its exponent is moved to where float32 has it; a subnormal one is
 * made normal first, and is never subnormal as a float, which some programs have the processor flush. */
FORCE_INLINE float half_as_float(uint16_t half)
{
    const uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13, exponent = magnitude & 0x0f800000;
    uint32_t bits = magnitude + (112u << 23); /* the biases are 15 and 127 */
    float value;
    if (exponent == 0x0f800000)
        bits += 112u << 23; /* infinity and NaN: the largest exponent stays the largest */
    if (exponent == 0)
        bits += 1u << 23; /* as if 2^-14 had been added ... */
    memcpy(&value, &bits, 4);
    if (exponent == 0)
        value -= 6.103515625e-05f; /* ... which is taken away again, exactly */
    memcpy(&bits, &value, 4);
    bits |= (uint32_t)(half & 0x8000) << 16;
    memcpy(&value, &bits, 4);
    return value;
}

/* A native type V of `real`: its operations are macros or intrinsics of these names. */
#define VECTOR_OPS(V, real, LOAD, STORE, BROADCAST, ZERO, ADD, SUB, MUL) \
    FORCE_INLINE V V##_load(const real *p) { return LOAD(p); }           \
    FORCE_INLINE void V##_store(real *p, V a) { STORE(p, a); }           \
    FORCE_INLINE V V##_broadcast(real x) { return BROADCAST(x); }        \
    FORCE_INLINE V V##_zero(void) { return ZERO(); }                     \
    FORCE_INLINE V V##_add(V a, V b) { return ADD(a, b); }               \
    FORCE_INLINE V V##_sub(V a, V b) { return SUB(a, b); }               \
    FORCE_INLINE V V##_mul(V a, V b) { return MUL(a, b); }

/* A type V of two vectors H of half_width lanes each; lo holds the lower lanes. */
#define VECTOR_PAIR(V, H, real, half_width)                                                       \
    typedef struct {                                                                              \
        H lo, hi;                                                                                 \
    } V;                                                                                          \
    FORCE_INLINE V V##_load(const real *p) { return (V){H##_load(p), H##_load(p + half_width)}; } \
    FORCE_INLINE void V##_store(real *p, V a)                                                     \
    {                                                                                             \
        H##_store(p, a.lo);                                                                       \
        H##_store(p + half_width, a.hi);                                                          \
    }                                                                                             \
    FORCE_INLINE V V##_broadcast(real x) { return (V){H##_broadcast(x), H##_broadcast(x)}; }      \
    FORCE_INLINE V V##_zero(void) { return (V){H##_zero(), H##_zero()}; }                         \
    FORCE_INLINE V V##_add(V a, V b) { return (V){H##_add(a.lo, b.lo), H##_add(a.hi, b.hi)}; }    \
    FORCE_INLINE V V##_sub(V a, V b) { return (V){H##_sub(a.lo, b.lo), H##_sub(a.hi, b.hi)}; }    \
    FORCE_INLINE V V##_mul(V a, V b) { return (V){H##_mul(a.lo, b.lo), H##_mul(a.hi, b.hi)}; }    \
    FORCE_INLINE real V##_sum(V a) { return H##_sum(H##_add(a.lo, a.hi)); }

/* What a pair of f32 has beside VECTOR_PAIR. */
#define VECTOR_PAIR_SMALL(V, H, half_width)                          \
    FORCE_INLINE V V##_load_half(const uint16_t *p)                  \
    {                                                                \
        return (V){H##_load_half(p), H##_load_half(p + half_width)}; \
    }                                                                \
    FORCE_INLINE V V##_load_byte(const int8_t *p)                    \
    {                                                                \
        return (V){H##_load_byte(p), H##_load_byte(p + half_width)}; \
    }

/* For a pair: its halves are members already. */
#define VECTOR_PAIR_CONCAT(V)                                                  \
    FORCE_INLINE V V##_concat_low_halves(V a, V b) { return (V){a.lo, b.lo}; } \
    FORCE_INLINE V V##_concat_high_halves(V a, V b) { return (V){a.hi, b.hi}; }

/* For a V of 16 lanes that is a pair of H, whose halves are groups of four lanes. */
#define VECTOR_TRANSPOSE(V, H)                                                                 \
    FORCE_INLINE void V##_transpose(V *rows)                                                   \
    {                                                                                          \
        const V a = rows[0], b = rows[1], c = rows[2], d = rows[3];                            \
        rows[0] = (V){H##_concat_low_halves(a.lo, b.lo), H##_concat_low_halves(c.lo, d.lo)};   \
        rows[1] = (V){H##_concat_high_halves(a.lo, b.lo), H##_concat_high_halves(c.lo, d.lo)}; \
        rows[2] = (V){H##_concat_low_halves(a.hi, b.hi), H##_concat_low_halves(c.hi, d.hi)};   \
        rows[3] = (V){H##_concat_high_halves(a.hi, b.hi), H##_concat_high_halves(c.hi, d.hi)}; \
    }

/* One lane is the number itself, on every instruction set. */
#define SCALAR_LOAD(p) (*(p))
#define SCALAR_STORE(p, a) (*(p) = (a))
#define SCALAR_ID(x) (x)
#define SCALAR_ZERO() (0)
#define SCALAR_ADD(a, b) ((a) + (b))
#define SCALAR_SUB(a, b) ((a) - (b))
#define SCALAR_MUL(a, b) ((a) * (b))
#define VECTOR_SCALAR(V, real)                                                                     \
    typedef real V;                                                                                \
    VECTOR_OPS(V, real, SCALAR_LOAD, SCALAR_STORE, SCALAR_ID, SCALAR_ZERO, SCALAR_ADD, SCALAR_SUB, \
               SCALAR_MUL)                                                                         \
    FORCE_INLINE real V##_sum(V a) { return a; }

VECTOR_SCALAR(f32x1, float)
VECTOR_SCALAR(f64x1, double)
#ifndef OWN_F32X1_LOAD_HALF /* else the header has an instruction for it */
FORCE_INLINE f32x1 f32x1_load_half(const uint16_t *p) { return half_as_float(*p); }
#endif
FORCE_INLINE f32x1 f32x1_load_byte(const int8_t *p) { return (float)*p; }

#endif
