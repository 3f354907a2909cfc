/* x86-64 with AVX2 and F16C (vector.h says what is provided). Native: f32x4, f32x8, f64x4; wider ones are
 * pairs. Include <immintrin.h> first, outside the region that sets the target. */
#define OWN_F32X1_LOAD_HALF
#include "simd/vector.h"

#ifndef VECTOR_BYTES
#define VECTOR_BYTES 512 /* 16 registers of 32 bytes */
#endif

typedef __m128 f32x4;
typedef __m256 f32x8;
typedef __m256d f64x4;
VECTOR_OPS(f32x4, float, _mm_loadu_ps, _mm_storeu_ps, _mm_set1_ps, _mm_setzero_ps, _mm_add_ps,
           _mm_sub_ps, _mm_mul_ps)
VECTOR_OPS(f32x8, float, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_setzero_ps,
           _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps)
VECTOR_OPS(f64x4, double, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_set1_pd, _mm256_setzero_pd,
           _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd)

/* movehl brings the upper half of the lanes down: (l0 + l2), (l1 + l3). */
FORCE_INLINE float f32x4_sum(f32x4 a)
{
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
}
/* The upper half is added to the lower one, which f32x4_sum then takes on. */
FORCE_INLINE float f32x8_sum(f32x8 a)
{
    return f32x4_sum(_mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)));
}
FORCE_INLINE double f64x4_sum(f64x4 a)
{
    __m128d half = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}

FORCE_INLINE f32x1 f32x1_load_half(const uint16_t *p)
{
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(*p)));
}
FORCE_INLINE f32x4 f32x4_load_half(const uint16_t *p)
{
    return _mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)(const void *)p));
}
FORCE_INLINE f32x8 f32x8_load_half(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
/* Four bytes are copied: a load of eight would read beyond them. */
FORCE_INLINE f32x4 f32x4_load_byte(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, 4);
    return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(four)));
}
FORCE_INLINE f32x8 f32x8_load_byte(const int8_t *p)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}

#ifndef FASTFM_WIDER_THAN_AVX2 /* avx512.h has these in one register */
#define LANES_F32 8
#define LANES_F64 4
/* 0x20: the lower 128 bits of a, then those of b; 0x31: the upper ones. */
FORCE_INLINE f32x8 f32x8_concat_low_halves(f32x8 a, f32x8 b)
{
    return _mm256_permute2f128_ps(a, b, 0x20);
}
FORCE_INLINE f32x8 f32x8_concat_high_halves(f32x8 a, f32x8 b)
{
    return _mm256_permute2f128_ps(a, b, 0x31);
}
/* Wider than a register: pairs, and pairs of pairs. */
VECTOR_PAIR(f64x8, f64x4, double, 4)
VECTOR_PAIR(f32x16, f32x8, float, 8)
VECTOR_PAIR_SMALL(f32x16, f32x8, 8)
VECTOR_PAIR(f64x16, f64x8, double, 8)
VECTOR_PAIR_CONCAT(f64x8)
VECTOR_TRANSPOSE(f32x16, f32x8)
VECTOR_TRANSPOSE(f64x16, f64x8)
#endif
