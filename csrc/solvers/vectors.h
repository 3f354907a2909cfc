/* Long vectors of float or double, which are summed and combined in double.
 *
 * Words:
 *   chunk  CHUNK numbers of a vector, or what is left at its end: what a thread takes at a time
 *   piece  up to PIECE numbers of a chunk, in double: what stays in the L1 cache */
#ifndef FASTFM_LONG_VECTORS_H
#define FASTFM_LONG_VECTORS_H

#include <string.h>

#include "base/parallel.h"

enum { CHUNK = 16384, PIECE = 512 };

static inline int64_t chunks_of(int64_t n) { return (n + CHUNK - 1) / CHUNK; }

/* Prefetches the piece after this one: between two pieces of a vector come those of all others, and the
 * processor does not guess that this one goes on. A prefetch reads nothing, so it may leave the vector. */
static inline void prefetch_next(const void *vector, fastfm_type real, int64_t begin, int64_t n)
{
    const int64_t size = real == FASTFM_F64 ? 8 : 4;
    const char *next = (const char *)vector + (begin + n) * size;
    for (int64_t at = 0; at < n * size; at += 64)
        PREFETCH_L2(next + at);
}

/* n numbers of a vector from `begin` on: in place, or converted to `room`, which has PIECE numbers. */
static inline const double *read_piece(const void *vector, fastfm_type real, int64_t begin,
                                       int64_t n, double *room)
{
    prefetch_next(vector, real, begin, n);
    if (real == FASTFM_F64)
        return (const double *)vector + begin;
    for (int64_t i = 0; i < n; i++)
        room[i] = (double)((const float *)vector)[begin + i];
    return room;
}

/* Writes a piece to a vector, rounded to its type. */
static inline void write_piece(void *vector, fastfm_type real, int64_t begin, int64_t n,
                               const double *piece)
{
    if (real == FASTFM_F64)
        memcpy((double *)vector + begin, piece, sizeof(double) * (size_t)n);
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)vector)[begin + i] = (float)piece[i];
}

/* piece += scale vector */
static inline void add_scaled(double *RESTRICT piece, double scale, const void *vector,
                              fastfm_type real, int64_t begin, int64_t n)
{
    prefetch_next(vector, real, begin, n);
    if (real == FASTFM_F64)
        for (int64_t i = 0; i < n; i++)
            piece[i] += scale * ((const double *)vector)[begin + i];
    else
        for (int64_t i = 0; i < n; i++)
            piece[i] += scale * (double)((const float *)vector)[begin + i];
}

static inline double sum_chains(const double *chains)
{
    return ((chains[0] + chains[4]) + (chains[2] + chains[6])) +
           ((chains[1] + chains[5]) + (chains[3] + chains[7]));
}

/* The sum of a_i b_i: number i in chain i % 8, then the chains as a tree. */
static inline double piece_product(const double *a, const double *b, int64_t n)
{
    double chains[8] = {0};
    for (int64_t i = 0; i + 8 <= n; i += 8)
        for (int chain = 0; chain < 8; chain++)
            chains[chain] += a[i + chain] * b[i + chain];
    for (int64_t i = n - n % 8; i < n; i++)
        chains[i % 8] += a[i] * b[i];
    return sum_chains(chains);
}

#endif
