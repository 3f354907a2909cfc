/* Any processor (vector.h says what is provided): a vector is a pair of pairs of numbers, in the
 * same order of additions. */
#include "simd/vector.h"

#define VECTOR_BYTES 256 /* a guess: 64 registers of 4 bytes */
#define LANES_F32 1
#define LANES_F64 1

VECTOR_PAIR(f32x2, f32x1, float, 1)
VECTOR_PAIR(f64x2, f64x1, double, 1)
VECTOR_PAIR(f32x4, f32x2, float, 2)
VECTOR_PAIR(f64x4, f64x2, double, 2)
VECTOR_PAIR(f32x8, f32x4, float, 4)
VECTOR_PAIR(f64x8, f64x4, double, 4)
VECTOR_PAIR(f32x16, f32x8, float, 8)
VECTOR_PAIR(f64x16, f64x8, double, 8)
VECTOR_PAIR_CONCAT(f32x8)
VECTOR_PAIR_CONCAT(f64x8)
VECTOR_TRANSPOSE(f32x16, f32x8)
VECTOR_TRANSPOSE(f64x16, f64x8)
VECTOR_PAIR_SMALL(f32x2, f32x1, 1)
VECTOR_PAIR_SMALL(f32x4, f32x2, 2)
VECTOR_PAIR_SMALL(f32x8, f32x4, 4)
VECTOR_PAIR_SMALL(f32x16, f32x8, 8)
