/* Level 1 on x86-64: AVX2 and F16C, which every processor with AVX2 has. On other platforms this file is empty.
 *
 * The target is set here, around the code, and not by a compiler flag. So every file is compiled
 * with the same flags, and no header function outside this region can be compiled for AVX2, be
 * merged by the linker with a baseline one, and then crash an old processor. <immintrin.h> is
 * included before the region, because its functions carry their own targets.
 * FMA is not part of the target: a fused multiply-add would round once where the baseline rounds
 * twice. MSVC needs no target; it compiles intrinsics anywhere. */
#include "kernels/table.h"
#ifdef FASTFM_X86_64
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2,f16c")
#endif

#include "simd/avx2.h"
#define LEVEL avx2
#include "kernels/instantiate.inc.h"

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#else
typedef int fastfm_no_avx2; /* ISO C forbids an empty file */
#endif
