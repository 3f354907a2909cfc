/* Level 0 on x86-64: SSE2, which every x86-64 processor has.
 *
 * The x86-64 baseline (vector.h says what is provided). Native: f32x4, f64x2; wider ones are pairs. */
#include <emmintrin.h>

#include "simd/vector.h"

#define VECTOR_BYTES 256 /* 16 registers of 16 bytes */
#define LANES_F32 4
#define LANES_F64 2

typedef __m128 f32x4;
typedef __m128d f64x2;
VECTOR_OPS(f32x4, float, _mm_loadu_ps, _mm_storeu_ps, _mm_set1_ps, _mm_setzero_ps, _mm_add_ps,
           _mm_sub_ps, _mm_mul_ps)
VECTOR_OPS(f64x2, double, _mm_loadu_pd, _mm_storeu_pd, _mm_set1_pd, _mm_setzero_pd, _mm_add_pd,
           _mm_sub_pd, _mm_mul_pd)

/* movehl brings the upper half of the lanes down: (l0 + l2), (l1 + l3). */
FORCE_INLINE float f32x4_sum(f32x4 a)
{
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
}
/* unpackhi brings the upper lane down. */
FORCE_INLINE double f64x2_sum(f64x2 a)
{
    return _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a)));
}

/* SSE2 converts neither of them at once. */
FORCE_INLINE f32x4 f32x4_load_half(const uint16_t *p)
{
    return _mm_setr_ps(half_as_float(p[0]), half_as_float(p[1]), half_as_float(p[2]),
                       half_as_float(p[3]));
}
FORCE_INLINE f32x4 f32x4_load_byte(const int8_t *p)
{
    return _mm_setr_ps((float)p[0], (float)p[1], (float)p[2], (float)p[3]);
}

VECTOR_PAIR(f64x4, f64x2, double, 2)
VECTOR_PAIR(f32x8, f32x4, float, 4)
VECTOR_PAIR(f64x8, f64x4, double, 4)
VECTOR_PAIR(f32x16, f32x8, float, 8)
VECTOR_PAIR(f64x16, f64x8, double, 8)
VECTOR_PAIR_CONCAT(f32x8)
VECTOR_PAIR_CONCAT(f64x8)
VECTOR_TRANSPOSE(f32x16, f32x8)
VECTOR_TRANSPOSE(f64x16, f64x8)
VECTOR_PAIR_SMALL(f32x8, f32x4, 4)
VECTOR_PAIR_SMALL(f32x16, f32x8, 8)
