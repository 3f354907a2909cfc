/* What the kernels of recommending are given. Words: fastfm_recommend.h. */
#ifndef FASTFM_RECOMMEND_VIEWS_H
#define FASTFM_RECOMMEND_VIEWS_H

#include "base/common.h"

/* Where the values of a row go. A value of field a (0 in an FM) adds to n_targets blocks of k sums:
 *
 *     sums of block first(a) + t * step  +=  x * V[j, source(t)],     t = 0 .. n_targets - 1
 *
 * context:    first(a) = a * n_slots, step = 1, source(t) = fields[t]
 * candidate:  first(a) = slots[a], step = n_slots, source(t) = t */
typedef struct {
    const fastfm_model *model;
    int is_context;
    int64_t n_slots, n_targets, step;
    const int32_t *slots, *fields; /* NULL in an FM */
    int64_t n_terms;
} reduction;

/* Sums of row `row`: adds to sums, (T,) zeros, and sets *linear to sum_j w_j x_j. has_field: (F,), gets 1
 * at the fields that the row has. run: (T,) scratch. */
typedef void (*reduce_kernel_of_row)(const fastfm_csr *X, const reduction *reduced, int64_t row,
                                     void *sums, void *linear, uint8_t *has_field, void *run);

/* Small parameters that become float32 at a time. */
#define WIDENED 64

/* Contexts whose scores are computed side by side, at most; a tile has so many, or one. */
#define TILE_CONTEXTS 8

/* A tile: contexts that have the same fields. */
typedef struct {
    const void *panels, *constants; /* those of fastfm_candidates */
    int64_t panel_terms;            /* T */
    int64_t block_terms;            /* terms of one field of the context: n_slots * k */
    const int32_t *blocks;          /* (n_blocks,) the fields that the contexts have; 0 in an FM */
    int64_t n_blocks;
    int64_t n_contexts;  /* 1 or TILE_CONTEXTS */
    const void *queries; /* (n_blocks * block_terms, n_contexts) the sums of the contexts */
    const void *constants_of_contexts; /* (n_contexts,) */
} score_tile;

/* Writes the scores of panels [begin, end) for the contexts of the tile: those of context c start at
 * scores + c * stride. */
typedef void (*tile_kernel)(const score_tile *tile, int64_t begin, int64_t end, void *scores,
                            int64_t stride);

/* The first of scores [begin, n) that is larger than the threshold, or n. NaN is not. */
typedef int64_t (*next_above_kernel)(const void *scores, int64_t begin, int64_t n,
                                     double threshold);

#endif
