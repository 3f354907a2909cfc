/* What decides the order of additions, and with it the bits of every result.
 *
 * All constants here count elements, never bytes or registers, so that every instruction set adds
 * in the same order. Changing one changes results: it is no tuning (see tuning.h).
 *
 * Words:
 *   run           up to RUN stored values of a row, which are added first; then runs are added
 *   factor block  width * vectors factors side by side, which one pass over a row's values covers
 *   width         lanes of a vector: 16, 8, 4 or 1; `vectors` of them make the factor block
 *
 * A kernel writes its inner loop once, in a block file, for any factor block. factor_blocks.inc.h
 * includes that file once for each shape; FACTOR_BLOCK names what it defines; FOR_FACTOR_BLOCKS
 * covers the k factors of a parameter with blocks, the widest first. */
#ifndef FASTFM_SUM_ORDER_H
#define FASTFM_SUM_ORDER_H

#include "base/common.h"

/* A float32 sum of 1000 terms in runs of 32 is off by less than 1e-5 of its absolute terms: a term
 * passes through at most 64 roundings, not 1000. */
#define RUN 32

/* The function `name` of a block file for one shape: name_16x4 and so on. */
#define FACTOR_BLOCK(name, width, vectors) \
    CONCAT(CONCAT(CONCAT(name, _), width), CONCAT(x, vectors))

/* CALL(width, vectors) while such a block fits in [f, k), or once if it does; moves f behind it. */
#define WHILE_FACTOR_BLOCK(width, vectors, k, f, CALL)                   \
    for (; (k) - (f) >= (width) * (vectors); (f) += (width) * (vectors)) \
        CALL(width, vectors);
#define IF_FACTOR_BLOCK(width, vectors, k, f, CALL) \
    if ((k) - (f) >= (width) * (vectors)) {         \
        CALL(width, vectors);                       \
        (f) += (width) * (vectors);                 \
    }

/* Fewer than 16 factors. */
#define FOR_LAST_FACTOR_BLOCKS(k, f, CALL) \
    IF_FACTOR_BLOCK(8, 1, k, f, CALL)      \
    IF_FACTOR_BLOCK(4, 1, k, f, CALL)      \
    WHILE_FACTOR_BLOCK(1, 1, k, f, CALL)

/* Covers the factors [f, k) with blocks of one vector; CALL reads f, the block's first factor. */
#define FOR_FACTOR_BLOCKS(k, f, CALL)     \
    WHILE_FACTOR_BLOCK(16, 1, k, f, CALL) \
    FOR_LAST_FACTOR_BLOCKS(k, f, CALL)

/* The same with blocks of up to four vectors: for kernels that hold all sums of a block in
 * registers while they walk a row, and so walk it k / 64 times. */
#define FOR_WIDE_FACTOR_BLOCKS(k, f, CALL) \
    WHILE_FACTOR_BLOCK(16, 4, k, f, CALL)  \
    IF_FACTOR_BLOCK(16, 2, k, f, CALL)     \
    IF_FACTOR_BLOCK(16, 1, k, f, CALL)     \
    FOR_LAST_FACTOR_BLOCKS(k, f, CALL)

#endif
