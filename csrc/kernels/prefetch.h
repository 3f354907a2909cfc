/* How rows of an array are prefetched. How far ahead, and into which cache, stands in tuning.h.
 *
 * All of this is inlined: GCC finds that a function which only prefetches has no effect, and drops
 * calls of it. */
#ifndef FASTFM_PREFETCH_H
#define FASTFM_PREFETCH_H

#include "base/common.h"

/* Prefetches `bytes` bytes of row `index` of an array, whose rows are row_bytes apart, into L1, or
 * into L2 only. Make `bytes` a constant where you can.
 * The index need not have been checked: nothing is read, and the unsigned arithmetic may wrap.
 * straddles: whether one more line than `bytes` tells may be touched (prefetch_straddles). */
FORCE_INLINE void prefetch_row(const void *array, int64_t index, int64_t row_bytes, int64_t bytes,
                               int straddles, int into_L2)
{
    const uintptr_t first = (uintptr_t)array + (uintptr_t)index * (uintptr_t)row_bytes;
    if (into_L2) {
        for (int64_t b = 0; b < bytes; b += CACHE_LINE)
            PREFETCH_L2(first + (uintptr_t)b);
        if (straddles)
            PREFETCH_L2(first + (uintptr_t)bytes - 1);
    } else {
        for (int64_t b = 0; b < bytes; b += CACHE_LINE)
            PREFETCH_L1(first + (uintptr_t)b);
        if (straddles)
            PREFETCH_L1(first + (uintptr_t)bytes - 1);
    }
}

/* Whether `bytes` bytes at the start of some row can touch one more cache line than
 * ceil(bytes / CACHE_LINE). */
FORCE_INLINE int prefetch_straddles(const void *array, int64_t row_bytes, int64_t bytes)
{
    const uintptr_t start = (uintptr_t)array | (uintptr_t)row_bytes;
    return bytes >= CACHE_LINE ? start % CACHE_LINE != 0 || bytes % CACHE_LINE != 0
                               : CACHE_LINE % bytes != 0 || start % (uintptr_t)bytes != 0;
}

#endif
