/* One allocation, handed out piece by piece. */
#ifndef FASTFM_ARENA_H
#define FASTFM_ARENA_H

#include "base/common.h"

/* Memory that is handed out in whole cache lines; with start NULL it is only measured. */
typedef struct {
    char *start;
    int64_t used;
} arena;

FORCE_INLINE void *take(arena *memory, int64_t bytes)
{
    void *taken = memory->start ? memory->start + memory->used : NULL;
    memory->used += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return taken;
}

/* The first whole cache line. */
FORCE_INLINE char *first_line(void *memory)
{
    return (char *)memory + (CACHE_LINE - (uintptr_t)memory % CACHE_LINE) % CACHE_LINE;
}

#endif
