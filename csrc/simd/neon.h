/* The aarch64 baseline (vector.h says what is provided). Native: f32x4, f64x2; wider ones are
 * pairs. */
#include <arm_neon.h>

#include "simd/vector.h"

#define VECTOR_BYTES 512 /* 32 registers of 16 bytes */
#define LANES_F32 4
#define LANES_F64 2

typedef float32x4_t f32x4;
typedef float64x2_t f64x2;
/* VECTOR_OPS wants a call without arguments. */
#define NEON_ZERO_F32() vdupq_n_f32(0)
#define NEON_ZERO_F64() vdupq_n_f64(0)
VECTOR_OPS(f32x4, float, vld1q_f32, vst1q_f32, vdupq_n_f32, NEON_ZERO_F32, vaddq_f32, vsubq_f32,
           vmulq_f32)
VECTOR_OPS(f64x2, double, vld1q_f64, vst1q_f64, vdupq_n_f64, NEON_ZERO_F64, vaddq_f64, vsubq_f64,
           vmulq_f64)

/* vaddv would add in another order. */
FORCE_INLINE float f32x4_sum(f32x4 a)
{
    float32x2_t half = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
}
FORCE_INLINE double f64x2_sum(f64x2 a) { return vgetq_lane_f64(a, 0) + vgetq_lane_f64(a, 1); }

FORCE_INLINE f32x4 f32x4_load_half(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
/* Four bytes are copied to a register of eight: a load of eight would read beyond them. */
FORCE_INLINE f32x4 f32x4_load_byte(const int8_t *p)
{
    uint32_t four;
    memcpy(&four, p, 4);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four)))));
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
