/* Every kernel for one instruction set (LEVEL), whose simd/ header is included already:
 * parameters {float, double} x data {float, double} x indices {int32, int64}. */
#define NAME(kernel) CONCAT(kernel, CONCAT(_, CONCAT(VARIANT, LEVEL)))

#define VARIANT_OF(kernel, variant) CONCAT(kernel, CONCAT(_, CONCAT(variant, LEVEL)))
#define VARIANTS_OF(kernel)                                                        \
    {                                                                              \
        {{VARIANT_OF(kernel, f32_f32_i32_), VARIANT_OF(kernel, f32_f32_i64_)},     \
         {VARIANT_OF(kernel, f32_f64_i32_), VARIANT_OF(kernel, f32_f64_i64_)}},    \
        {                                                                          \
            {VARIANT_OF(kernel, f64_f32_i32_), VARIANT_OF(kernel, f64_f32_i64_)},  \
            {                                                                      \
                VARIANT_OF(kernel, f64_f64_i32_), VARIANT_OF(kernel, f64_f64_i64_) \
            }                                                                      \
        }                                                                          \
    }

#define REAL float
#define REAL_BITS uint32_t
#define SQRT(x) sqrtf(x)
#define OF_REAL(name) VARIANT_OF(name, f32_)
#define VEC(width, op) CONCAT(CONCAT(f32x, width), op)
#define VARIANT f32_
#include "kernels/real.inc.h"
#define DATA float
#define INDEX int32_t
#define VARIANT f32_f32_i32_
#include "kernels/variant.inc.h"
#define INDEX int64_t
#define VARIANT f32_f32_i64_
#include "kernels/variant.inc.h"
#undef DATA
#define DATA double
#define INDEX int32_t
#define VARIANT f32_f64_i32_
#include "kernels/variant.inc.h"
#define INDEX int64_t
#define VARIANT f32_f64_i64_
#include "kernels/variant.inc.h"
#undef DATA
#undef OF_REAL
#undef SQRT
#undef VEC
#undef REAL_BITS
#undef REAL

#define REAL double
#define REAL_BITS uint64_t
#define SQRT(x) sqrt(x)
#define OF_REAL(name) VARIANT_OF(name, f64_)
#define VEC(width, op) CONCAT(CONCAT(f64x, width), op)
#define VARIANT f64_
#include "kernels/real.inc.h"
#define DATA float
#define INDEX int32_t
#define VARIANT f64_f32_i32_
#include "kernels/variant.inc.h"
#define INDEX int64_t
#define VARIANT f64_f32_i64_
#include "kernels/variant.inc.h"
#undef DATA
#define DATA double
#define INDEX int32_t
#define VARIANT f64_f64_i32_
#include "kernels/variant.inc.h"
#define INDEX int64_t
#define VARIANT f64_f64_i64_
#include "kernels/variant.inc.h"
#undef DATA
#undef OF_REAL
#undef SQRT
#undef VEC
#undef REAL_BITS
#undef REAL

#define INDEX int32_t
#define VARIANT i32_
#include "kernels/check.inc.h"
#undef VARIANT
#undef INDEX
#define INDEX int64_t
#define VARIANT i64_
#include "kernels/check.inc.h"
#undef VARIANT
#undef INDEX

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const kernel_table CONCAT(kernels_, LEVEL) = {
    STRING(LEVEL),
    VARIANTS_OF(fm_score),
    VARIANTS_OF(ffm_score),
    VARIANTS_OF(fm_gradient),
    {VARIANT_OF(check, i32_), VARIANT_OF(check, i64_)},
    VARIANTS_OF(fm_partition),
    VARIANTS_OF(ffm_partition),
    {VARIANT_OF(ffm_link, f32_), VARIANT_OF(ffm_link, f64_)},
    {VARIANT_OF(ffm_learn, f32_), VARIANT_OF(ffm_learn, f64_)},
    VARIANTS_OF(fm_sum_part),
    {VARIANT_OF(ffm_sum_part, f32_), VARIANT_OF(ffm_sum_part, f64_)},
    {VARIANT_OF(update_slots, f32_), VARIANT_OF(update_slots, f64_)},
    {VARIANT_OF(update, f32_), VARIANT_OF(update, f64_)},
};
