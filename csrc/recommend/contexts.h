/* A block of contexts, reduced and sorted into tiles, and their scores beside ranges of candidates. The
 * memory of one thread; nothing here is shared. Words: fastfm_recommend.h, kernels/recommend/views.h. */
#ifndef FASTFM_CONTEXTS_H
#define FASTFM_CONTEXTS_H

#include "base/arena.h"
#include "recommend/reduce.h"

#define BLOCK_CONTEXTS 64 /* contexts of a block, at most */

/* A tile of the block: contexts [first, first + n), padded with zeros where n is less than a tile has. */
typedef struct {
    int64_t first, n;
    score_tile tile;
} context_tile;

typedef struct {
    const fastfm_candidates *candidates;
    int64_t max_contexts, panels_per_pass; /* at most BLOCK_CONTEXTS; panels scored at a time */
    int64_t n_contexts, n_tiles;           /* now */
    context_tile *tiles;                   /* (max_contexts,) */
    char *sums, *linear, *run;             /* (max_contexts, T); (max_contexts,); (T,) */
    char *
        queries; /* (2 max_contexts + 16, T) as tiles read them: a padded one has half of its contexts at least */
    char *constants;    /* (2 max_contexts + 16,) */
    uint8_t *has_field; /* (max_contexts, F) */
    int32_t *blocks;    /* (max_contexts, F) the fields of each tile */
    char *scores;       /* (TILE_CONTEXTS, panels_per_pass * 16) */
} context_block;

/* Carves the memory; candidates and max_contexts are set. */
void context_block_carve(context_block *block, arena *memory);

/* Reduces contexts [begin, begin + n) of X. own: (n_rows,) the scores of the contexts alone, or NULL if
 * their pairs do not count. */
void context_block_load(context_block *block, const fastfm_csr *X, const void *own, int64_t begin,
                        int64_t n);

#endif
