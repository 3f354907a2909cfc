/* Every kernel for one instruction set. The including file defines LEVEL and has included the
 * simd/ header of that level.
 *
 * This is the one place where template parameters are defined. A *.inc.h file is a template: it is
 * compiled once for each combination of those that it uses.
 *
 *   parameter    legal values                  what it is
 *   LEVEL        baseline avx2 avx512          the instruction set; the suffix of kernels_<LEVEL>
 *   REAL         float double                  the type of parameters, scores and gradients
 *   REAL_BITS    uint32_t uint64_t             the unsigned type as wide as REAL
 *   SQRT(x)      sqrtf(x) sqrt(x)              its square root
 *   VEC(w, op)   f32x<w><op> f64x<w><op>       a vector type of w lanes of REAL, if op is empty, or
 *                                              an operation on it (simd/vector.h); w: 16 8 4 1
 *   LANES        1 2 4 8 16                    the lanes of REAL in a register; changes no bit
 *   DATA         float double                  the type of X's values
 *   INDEX        int32_t int64_t               the type of X's indptr and indices
 *   VARIANT      f32_ ... f64_f64_i64_, i32_   the suffix of what depends on the types that are set
 *   NAME(f)      f_<VARIANT><LEVEL>            the name of a static function or type f
 *   OF_REAL(f)   f_<f32_ or f64_><LEVEL>       the same for what depends on REAL alone, to be used
 *                                              where DATA and INDEX are set, too
 *   BLOCK_...                                  the shape of a factor block: factor_blocks.inc.h
 *
 *   file             depends on                includes
 *   real.inc.h       REAL                      FFM rows, gradients of batches, updates
 *   variant.inc.h    REAL, DATA, INDEX         scores, gradients, sorting by partition
 *   check.inc.h      INDEX */
#define NAME(kernel) CONCAT(kernel, CONCAT(_, CONCAT(VARIANT, LEVEL)))
#define VARIANT_OF(kernel, variant) CONCAT(kernel, CONCAT(_, CONCAT(variant, LEVEL)))

#define REAL float
#define REAL_BITS uint32_t
#define SQRT(x) sqrtf(x)
#define LANES LANES_F32
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
#undef LANES
#undef VEC
#undef REAL_BITS
#undef REAL

#define REAL double
#define REAL_BITS uint64_t
#define SQRT(x) sqrt(x)
#define LANES LANES_F64
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
#undef LANES
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

/* ----------------------------------------------- the table of this level, made from KERNEL_LIST */

#define STRING_(x) #x
#define STRING(x) STRING_(x)

#define VARIANTS_ALL(kernel)                                                       \
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
#define VARIANTS_REAL(kernel) {VARIANT_OF(kernel, f32_), VARIANT_OF(kernel, f64_)}
#define VARIANTS_INDEX(kernel) {VARIANT_OF(kernel, i32_), VARIANT_OF(kernel, i64_)}
#define KERNEL_ENTRY(type, name, variants) .name = VARIANTS_##variants(name),

const kernel_table CONCAT(kernels_, LEVEL) = {.level = STRING(LEVEL), KERNEL_LIST(KERNEL_ENTRY)};
