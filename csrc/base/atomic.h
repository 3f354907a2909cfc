/* The few atomic operations that threads need. Not every compiler has <stdatomic.h>, so the
 * intrinsics of MSVC and the builtins of GCC and Clang get the same names here.
 *
 *   atomic_load_i64       reads; what other threads wrote before their atomic_store_i64 is visible
 *   atomic_store_i64      writes; what this thread wrote before is visible to whoever loads the value
 *   atomic_decrement_i64  subtracts 1 and returns the new value
 *   atomic_replace_i64    writes `value` if `old` is there now; returns whether it was (a strong
 *                         compare-and-swap)
 *
 * All threads see all of these in one order. So of two threads that each store one number and then load
 * the other's, at least one sees what the other has stored (team.c: wait_for_job).
 *
 *   atomic_pause          tells the processor that this thread spins
 *   atomic_yield          lets another thread have the processor */
#ifndef FASTFM_ATOMIC_H
#define FASTFM_ATOMIC_H

#include "base/common.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <sched.h>
#endif

#if defined(_MSC_VER) && !defined(__clang__)
typedef volatile LONG64 atomic_i64;
FORCE_INLINE int64_t atomic_load_i64(atomic_i64 *a) { return InterlockedOr64(a, 0); }
FORCE_INLINE void atomic_store_i64(atomic_i64 *a, int64_t value)
{
    InterlockedExchange64(a, value);
}
FORCE_INLINE int64_t atomic_decrement_i64(atomic_i64 *a) { return InterlockedDecrement64(a); }
FORCE_INLINE int atomic_replace_i64(atomic_i64 *a, int64_t old, int64_t value)
{
    return InterlockedCompareExchange64(a, value, old) == old;
}
FORCE_INLINE void atomic_pause(void) { YieldProcessor(); }
#else
/* Processors of 32 bits align int64_t to 4 bytes, where a cache line may end inside it. */
typedef int64_t __attribute__((aligned(8))) atomic_i64;
FORCE_INLINE int64_t atomic_load_i64(atomic_i64 *a) { return __atomic_load_n(a, __ATOMIC_SEQ_CST); }
FORCE_INLINE void atomic_store_i64(atomic_i64 *a, int64_t value)
{
    __atomic_store_n(a, value, __ATOMIC_SEQ_CST);
}
FORCE_INLINE int64_t atomic_decrement_i64(atomic_i64 *a)
{
    return __atomic_sub_fetch(a, 1, __ATOMIC_SEQ_CST);
}
FORCE_INLINE int atomic_replace_i64(atomic_i64 *a, int64_t old, int64_t value)
{
    return __atomic_compare_exchange_n(a, &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
#if defined(FASTFM_X86_64)
FORCE_INLINE void atomic_pause(void) { __builtin_ia32_pause(); }
#elif defined(FASTFM_AARCH64)
FORCE_INLINE void atomic_pause(void) { __asm__ volatile("yield"); }
#else
FORCE_INLINE void atomic_pause(void) {}
#endif
#endif

#if defined(_WIN32)
FORCE_INLINE void atomic_yield(void) { SwitchToThread(); }
#else
FORCE_INLINE void atomic_yield(void) { sched_yield(); }
#endif

#endif
