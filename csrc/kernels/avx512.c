/* Level 2 on x86-64: AVX-512F. On other platforms this file is empty. The target is set around the
 * code for the reasons that avx2.c gives; AVX-512 subsets other than F are not needed. */
#include "kernels/table.h"
#ifdef FASTFM_X86_64
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,f16c,avx512f"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2,f16c,avx512f")
#endif

#include "simd/avx512.h"
#define LEVEL avx512
#include "kernels/instantiate.inc.h"

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#else
typedef int fastfm_no_avx512; /* ISO C forbids an empty file */
#endif
