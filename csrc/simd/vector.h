/* What every instruction set header provides, for real in {f32, f64} and W in {1, 4, 8, 16}:
 * the type <real>xW and load, store, broadcast, zero, add, sub, mul, sum on it, as <real>xW_<op>.
 * sum adds halves until one lane is left: ((l0+l2)+(l1+l3)) for four lanes. No operation is fused,
 * so every instruction set gives the same bits.
 * And x16_transpose(rows): takes four vectors as rows of four cells of four lanes, and makes columns
 * of them.
 * A header writes its native types with VECTOR_OPS and makes wider ones of two halves with
 * VECTOR_PAIR. For x16_transpose of such, their halves, of two cells, have first_cells and
 * second_cells, which give a column of two rows. */
#ifndef FASTFM_VECTOR_H
#define FASTFM_VECTOR_H

#include "base/common.h"

#define VECTOR_OPS(V, real, LOAD, STORE, BROADCAST, ZERO, ADD, SUB, MUL) \
    FORCE_INLINE V V##_load(const real *p) { return LOAD(p); }           \
    FORCE_INLINE void V##_store(real *p, V a) { STORE(p, a); }           \
    FORCE_INLINE V V##_broadcast(real x) { return BROADCAST(x); }        \
    FORCE_INLINE V V##_zero(void) { return ZERO(); }                     \
    FORCE_INLINE V V##_add(V a, V b) { return ADD(a, b); }               \
    FORCE_INLINE V V##_sub(V a, V b) { return SUB(a, b); }               \
    FORCE_INLINE V V##_mul(V a, V b) { return MUL(a, b); }

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

#define VECTOR_PAIR_CELLS(V)                                             \
    FORCE_INLINE V V##_first_cells(V a, V b) { return (V){a.lo, b.lo}; } \
    FORCE_INLINE V V##_second_cells(V a, V b) { return (V){a.hi, b.hi}; }

#define VECTOR_TRANSPOSE(V, H)                                                     \
    FORCE_INLINE void V##_transpose(V *rows)                                       \
    {                                                                              \
        const V a = rows[0], b = rows[1], c = rows[2], d = rows[3];                \
        rows[0] = (V){H##_first_cells(a.lo, b.lo), H##_first_cells(c.lo, d.lo)};   \
        rows[1] = (V){H##_second_cells(a.lo, b.lo), H##_second_cells(c.lo, d.lo)}; \
        rows[2] = (V){H##_first_cells(a.hi, b.hi), H##_first_cells(c.hi, d.hi)};   \
        rows[3] = (V){H##_second_cells(a.hi, b.hi), H##_second_cells(c.hi, d.hi)}; \
    }

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

#endif
