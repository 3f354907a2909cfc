/* Blocks of contexts; see contexts.h. */
#include "recommend/contexts.h"

#include <string.h>

/* Bytes of panels that are scored for all tiles of a block before the next ones are: they stay in L2. */
#define PASS_BYTES (192 * 1024)
#define MOST_PANELS 128 /* so that the scores of a tile stay in L1 or L2, too */
/* From so many contexts on, a tile is padded: scoring one context of a tile costs as much as half a tile. */
#define PADDED_TILE 4

void context_block_carve(context_block *block, arena *memory)
{
    const fastfm_candidates *candidates = block->candidates;
    const int64_t T = fastfm_n_terms(candidates), n = block->max_contexts;
    const int64_t F = fields_of(candidates->model);
    const int64_t size = (int64_t)real_size(candidates->model->real);
    const int64_t fitting = PASS_BYTES / (max_i64(T, 1) * FASTFM_PANEL * size) / 4 * 4;
    block->panels_per_pass = max_i64(4, min_i64(MOST_PANELS, fitting));
    block->tiles = (context_tile *)arena_alloc(memory, n * (int64_t)sizeof(context_tile));
    block->sums = (char *)arena_alloc(memory, n * T * size);
    block->linear = (char *)arena_alloc(memory, n * size);
    block->run = (char *)arena_alloc(memory, T * size);
    block->queries = (char *)arena_alloc(memory, 2 * (n + TILE_CONTEXTS) * T * size);
    block->constants = (char *)arena_alloc(memory, 2 * (n + TILE_CONTEXTS) * size);
    block->has_field = (uint8_t *)arena_alloc(memory, n * F);
    block->blocks = (int32_t *)arena_alloc(memory, n * F * (int64_t)sizeof(int32_t));
    block->scores =
        (char *)arena_alloc(memory, TILE_CONTEXTS * block->panels_per_pass * FASTFM_PANEL * size);
}

/* Copies the sums of the tile's contexts side by side: (term, context), for the fields that they have. */
static void pack_queries(const context_block *block, const context_tile *at, char *queries)
{
    const fastfm_type real = block->candidates->model->real;
    const int64_t T = at->tile.panel_terms, of_block = at->tile.block_terms;
    const int64_t width = at->tile.n_contexts;
    for (int64_t c = 0; c < width; c++)
        for (int64_t b = 0; b < at->tile.n_blocks; b++)
            for (int64_t f = 0; f < of_block; f++) {
                const int64_t to = (b * of_block + f) * width + c;
                const int64_t from = (at->first + c) * T + at->tile.blocks[b] * of_block + f;
                if (real == FASTFM_F32)
                    ((float *)queries)[to] = c < at->n ? ((const float *)block->sums)[from] : 0;
                else
                    ((double *)queries)[to] = c < at->n ? ((const double *)block->sums)[from] : 0;
            }
}

/* How many contexts from `first` on form one tile: at most TILE_CONTEXTS, with the same fields. */
static int64_t tile_length(const context_block *block, int64_t first)
{
    const int64_t F = fields_of(block->candidates->model);
    const uint8_t *fields = block->has_field + first * F;
    int64_t n = 1;
    while (n < TILE_CONTEXTS && first + n < block->n_contexts &&
           memcmp(fields, fields + n * F, (size_t)F) == 0)
        n++;
    return n >= PADDED_TILE ? n : 1;
}

static void make_tile(context_block *block, int64_t first, int64_t n, char *queries,
                      char *constants)
{
    const fastfm_candidates *candidates = block->candidates;
    const fastfm_model *model = candidates->model;
    const int64_t F = fields_of(model), size = (int64_t)real_size(model->real);
    context_tile *at = &block->tiles[block->n_tiles];
    int32_t *blocks = block->blocks + block->n_tiles * F;
    int64_t n_blocks = 0;
    for (int64_t a = 0; a < F; a++)
        if (!model->fields || block->has_field[first * F + a])
            blocks[n_blocks++] = (int32_t)a;
    at->first = first;
    at->n = n;
    at->tile = (score_tile){.panels = candidates->panels,
                            .constants = candidates->constants,
                            .panel_terms = fastfm_n_terms(candidates),
                            .block_terms = fastfm_n_terms(candidates) / F,
                            .blocks = blocks,
                            .n_blocks = n_blocks,
                            .n_contexts = n == 1 ? 1 : TILE_CONTEXTS,
                            .queries = queries,
                            .constants_of_contexts = constants};
    pack_queries(block, at, queries);
    memset(constants, 0, (size_t)(at->tile.n_contexts * size));
    memcpy(constants, block->linear + first * size, (size_t)(n * size));
    block->n_tiles++;
}

void context_block_load(context_block *block, const fastfm_csr *X, const void *own, int64_t begin,
                        int64_t n)
{
    const fastfm_candidates *candidates = block->candidates;
    const fastfm_model *model = candidates->model;
    const reduction reduced = reduction_of(candidates, 1);
    const int64_t F = fields_of(model), size = (int64_t)real_size(model->real);
    const int64_t row_bytes = reduced.n_terms * size;
    int64_t used = 0;
    block->n_contexts = n;
    block->n_tiles = 0;
    memset(block->has_field, 0, (size_t)(n * F));
    if (row_bytes > 0)
        memset(block->sums, 0, (size_t)(n * row_bytes));
    for (int64_t c = 0; c < n; c++)
        KERNEL_OF(kernels()->reduce_row, model, X)
    (X, &reduced, begin + c, block->sums + c * row_bytes, block->linear + c * size,
     block->has_field + c * F, block->run);
    if (own)
        memcpy(block->linear, (const char *)own + begin * size, (size_t)(n * size));
    else
        add_bias(model, block->linear, n);
    for (int64_t first = 0; first < n; used += block->tiles[block->n_tiles - 1].tile.n_contexts) {
        const int64_t length = tile_length(block, first);
        make_tile(block, first, length, block->queries + used * row_bytes,
                  block->constants + used * size);
        first += length;
    }
}
