/* Random draws by counter: Philox 4x32 with ten rounds (Salmon et al. 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). A number depends on the seed, the epoch, the row and how many were drawn for that
 * row before: not on who draws it, or when. */
#ifndef FASTFM_DRAW_H
#define FASTFM_DRAW_H

#include "base/common.h"

/* The draws of one row in one epoch. */
typedef struct {
    uint32_t key[2], row[2], epoch, next_block;
    uint32_t numbers[4];
    int left; /* of the numbers */
} draws;

FORCE_INLINE draws draws_of(uint64_t seed, int64_t epoch, int64_t row)
{
    const draws made = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                        .row = {(uint32_t)row, (uint32_t)((uint64_t)row >> 32)},
                        .epoch = (uint32_t)epoch};
    return made;
}

FORCE_INLINE void next_numbers(draws *of_row)
{
    uint32_t c0 = of_row->row[0], c1 = of_row->row[1], c2 = of_row->epoch,
             c3 = of_row->next_block++;
    uint32_t k0 = of_row->key[0], k1 = of_row->key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    of_row->numbers[0] = c0;
    of_row->numbers[1] = c1;
    of_row->numbers[2] = c2;
    of_row->numbers[3] = c3;
    of_row->left = 4;
}

/* `number` as one in [0, n), n from 1 to 2^32 - 1; each is as likely as the others, to n / 2^32. */
FORCE_INLINE int64_t number_below(uint32_t number, int64_t n)
{
    return (int64_t)((uint64_t)number * (uint64_t)n >> 32);
}

FORCE_INLINE int64_t draw_below(draws *of_row, int64_t n)
{
    if (of_row->left == 0)
        next_numbers(of_row);
    return number_below(of_row->numbers[--of_row->left], n);
}

#endif
