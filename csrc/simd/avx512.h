/* x86-64 with AVX-512F (vector.h says what is provided). Native: f32x16, f64x8, and from avx2.h
 * f32x4, f32x8, f64x4. f64x16 is a pair. */
#define FASTFM_WIDER_THAN_AVX2
#define VECTOR_BYTES 2048 /* 32 registers of 64 bytes */
#include "simd/avx2.h"

#define LANES_F32 16
#define LANES_F64 8

typedef __m512 f32x16;
typedef __m512d f64x8;
VECTOR_OPS(f32x16, float, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_setzero_ps,
           _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps)
VECTOR_OPS(f64x8, double, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_set1_pd, _mm512_setzero_pd,
           _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd)

/* The upper half is added to the lower one, which AVX2's sum then takes on. */
FORCE_INLINE double f64x8_sum(f64x8 a)
{
    return f64x4_sum(_mm256_add_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1)));
}
/* AVX-512F alone extracts 256 bits only as doubles; the casts cost nothing. */
FORCE_INLINE float f32x16_sum(f32x16 a)
{
    __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1));
    return f32x8_sum(_mm256_add_ps(_mm512_castps512_ps256(a), high));
}

FORCE_INLINE f32x16 f32x16_load_half(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
FORCE_INLINE f32x16 f32x16_load_byte(const int8_t *p)
{
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

/* Each shuffle takes two groups of four lanes from either operand. 0x44 and 0xee: the groups 0 1
 * and 2 3; 0x88 and 0xdd: 0 2 and 1 3. ab01 is the groups 0 1 of row 0, then those of row 1. */
FORCE_INLINE void f32x16_transpose(f32x16 *rows)
{
    const f32x16 ab01 = _mm512_shuffle_f32x4(rows[0], rows[1], 0x44);
    const f32x16 ab23 = _mm512_shuffle_f32x4(rows[0], rows[1], 0xee);
    const f32x16 cd01 = _mm512_shuffle_f32x4(rows[2], rows[3], 0x44);
    const f32x16 cd23 = _mm512_shuffle_f32x4(rows[2], rows[3], 0xee);
    rows[0] = _mm512_shuffle_f32x4(ab01, cd01, 0x88);
    rows[1] = _mm512_shuffle_f32x4(ab01, cd01, 0xdd);
    rows[2] = _mm512_shuffle_f32x4(ab23, cd23, 0x88);
    rows[3] = _mm512_shuffle_f32x4(ab23, cd23, 0xdd);
}
/* The lower four lanes of both, and the upper ones. */
FORCE_INLINE f64x8 f64x8_concat_low_halves(f64x8 a, f64x8 b)
{
    return _mm512_shuffle_f64x2(a, b, 0x44);
}
FORCE_INLINE f64x8 f64x8_concat_high_halves(f64x8 a, f64x8 b)
{
    return _mm512_shuffle_f64x2(a, b, 0xee);
}

VECTOR_PAIR(f64x16, f64x8, double, 8)
VECTOR_TRANSPOSE(f64x16, f64x8)
