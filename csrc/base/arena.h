/* An arena: one allocation that is carved into many arrays.
 *
 * A carving function is called twice with the same sizes. The first time the arena has no memory
 * (start is NULL), and `used` then says how many bytes to allocate. The second time start points to
 * that memory, and every arena_alloc returns its array. So no size is written down twice. */
#ifndef FASTFM_ARENA_H
#define FASTFM_ARENA_H

#include "base/common.h"

typedef struct {
    char *start;  /* the first byte, aligned to a cache line; NULL to measure only */
    int64_t used; /* bytes that have been handed out: a multiple of CACHE_LINE */
} arena;

/* The next `bytes` bytes, rounded up to whole cache lines, or NULL if the arena only measures. Arrays
 * therefore share no cache line, and each is aligned for any type. The caller has allocated enough:
 * nothing is checked. */
FORCE_INLINE void *arena_alloc(arena *memory, int64_t bytes)
{
    void *array = memory->start ? memory->start + memory->used : NULL;
    memory->used += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return array;
}

/* The first address from `memory` on that is a multiple of CACHE_LINE. malloc aligns to 16 bytes, so
 * the caller allocates CACHE_LINE bytes more than it measured. */
FORCE_INLINE char *align_to_line(void *memory)
{
    return (char *)memory + (CACHE_LINE - (uintptr_t)memory % CACHE_LINE) % CACHE_LINE;
}

#endif
