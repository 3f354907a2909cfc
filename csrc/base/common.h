/* What every file needs: the differences between compilers, and access to arrays of several types.
 *
 * Words:
 *   real   float or double, the type of parameters, scores and data: FASTFM_F32 or FASTFM_F64
 *   index  int32_t or int64_t, the type of indptr and indices: FASTFM_I32 or FASTFM_I64 */
#ifndef FASTFM_COMMON_H
#define FASTFM_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "fastfm.h"

/* RESTRICT: what this pointer reaches is reached by no other. FORCE_INLINE: also at -O1, because
 * kernels rely on constants that reach into the functions they call. NO_INLINE: keeps a rare path
 * out of a loop. */
#if defined(_MSC_VER) && !defined(__clang__)
#define RESTRICT __restrict
#define FORCE_INLINE static __forceinline
#define NO_INLINE __declspec(noinline)
#else
#define RESTRICT restrict
#define FORCE_INLINE static inline __attribute__((always_inline))
#define NO_INLINE __attribute__((noinline))
#endif

/* The processors that have more than the portable code. */
#if defined(__x86_64__) || defined(_M_X64)
#define FASTFM_X86_64 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#define FASTFM_AARCH64 1
#endif

/* Prefetches the cache line of an address into L1, or into L2 only. It is a hint: any address is
 * allowed, mapped or not. Addresses are given as integers, because C does not allow to compute a
 * pointer that lies outside its array. */
#if defined(_MSC_VER) && !defined(__clang__)
#ifdef FASTFM_X86_64
#include <xmmintrin.h>
#define PREFETCH_L1(address) _mm_prefetch((const char *)(address), _MM_HINT_T0)
#define PREFETCH_L2(address) _mm_prefetch((const char *)(address), _MM_HINT_T1)
#else
#define PREFETCH_L1(address) ((void)(address))
#define PREFETCH_L2(address) ((void)(address))
#endif
#else
#define PREFETCH_L1(address) __builtin_prefetch((const void *)(address), 0, 3)
#define PREFETCH_L2(address) __builtin_prefetch((const void *)(address), 0, 2)
#endif

#define CACHE_LINE 64 /* bytes, on every processor that matters here */

/* One name from two, after macros in a and b have been replaced. */
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)

FORCE_INLINE int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
FORCE_INLINE int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

/* A multiplicative hash: 2^64 divided by the golden ratio (Knuth, TAOCP 3, 6.4). A bit of the result
 * depends on the same bit of value and on those below it, so callers use the high bits. */
FORCE_INLINE uint64_t hash_i64(int64_t value)
{
    return (uint64_t)value * UINT64_C(0x9E3779B97F4A7C15);
}

/* Bytes of one number. */
FORCE_INLINE size_t real_size(fastfm_type real) { return real == FASTFM_F32 ? 4 : 8; }
FORCE_INLINE size_t index_size(fastfm_type type) { return type == FASTFM_I32 ? 4 : 8; }

/* Reads and writes entry i of an array whose type is known only at run time. Each call branches on
 * the type, so drivers use these and kernels do not. Nothing is checked; a value that is written is
 * converted to the array's type. */
FORCE_INLINE int64_t index_at(const void *indices, fastfm_type type, int64_t i)
{
    return type == FASTFM_I32 ? ((const int32_t *)indices)[i] : ((const int64_t *)indices)[i];
}

FORCE_INLINE void set_index(void *indices, fastfm_type type, int64_t i, int64_t value)
{
    if (type == FASTFM_I32)
        ((int32_t *)indices)[i] = (int32_t)value;
    else
        ((int64_t *)indices)[i] = value;
}

FORCE_INLINE double real_at(const void *values, fastfm_type type, int64_t i)
{
    return type == FASTFM_F32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

FORCE_INLINE void set_real(void *values, fastfm_type type, int64_t i, double value)
{
    if (type == FASTFM_F32)
        ((float *)values)[i] = (float)value;
    else
        ((double *)values)[i] = value;
}

#endif
