/* Every difference between compilers. */
#ifndef FASTFM_COMMON_H
#define FASTFM_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "fastfm.h"

#if defined(_MSC_VER) && !defined(__clang__)
#define RESTRICT __restrict
#define FORCE_INLINE static __forceinline
#define NO_INLINE __declspec(noinline)
#else
#define RESTRICT restrict
#define FORCE_INLINE static inline __attribute__((always_inline))
#define NO_INLINE __attribute__((noinline))
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define FASTFM_X86_64 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#define FASTFM_AARCH64 1
#endif

/* Hints, into the L1 cache or only into L2: any address is allowed, mapped or not. Addresses are made
 * from integers because a pointer beyond its array may not even be computed. */
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
#define CACHE_LINE 64

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)

FORCE_INLINE int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
FORCE_INLINE int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

/* A multiplicative (Fibonacci) hash; its high bits are the good ones. */
FORCE_INLINE uint64_t hash_i64(int64_t value)
{
    return (uint64_t)value * UINT64_C(0x9E3779B97F4A7C15);
}

FORCE_INLINE size_t real_size(fastfm_type real) { return real == FASTFM_F32 ? 4 : 8; }
FORCE_INLINE size_t index_size(fastfm_type type) { return type == FASTFM_I32 ? 4 : 8; }

/* Entry i of an indptr, indices or slots array. */
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
