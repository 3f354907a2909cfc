/* score_tile: scores of candidates beside contexts, and their comparison with a threshold.
 *
 *     score = (constant_i + sum_f c_f i_f) + constant_c,     f ascending, no operation fused
 *
 * Lanes are candidates, so nothing is summed across lanes: any number of contexts and of panels that
 * are worked on together gives the same bits. Parameters and contract: recommend/views.h.
 * Template parameters: REAL, VEC, NAME (instantiate.inc.h); VECTOR_BYTES of simd/. */

/* Vectors of 16 lanes that half of the registers hold: the sums of a tile stay in them. */
#define TILE_SUMS (VECTOR_BYTES / (16 * (int)sizeof(REAL)) / 2)

/* Contexts [first, first + n_contexts) of the tile with panels [panel, panel + n_panels); both numbers
 * are constants wherever this is inlined, at most TILE_CONTEXTS and 4. */
FORCE_INLINE void NAME(score_panels)(const score_tile *tile, int64_t first, const int n_contexts,
                                     int64_t panel, const int n_panels, REAL *scores,
                                     int64_t stride)
{
    const int64_t terms = tile->panel_terms, of_block = tile->block_terms;
    const int64_t width = tile->n_contexts;
    const REAL *q = (const REAL *)tile->queries + first;
    const REAL *constants = (const REAL *)tile->constants + 16 * panel;
    VEC(16, ) sums[TILE_CONTEXTS][4];
    for (int c = 0; c < n_contexts; c++)
        for (int i = 0; i < n_panels; i++)
            sums[c][i] = VEC(16, _load)(constants + 16 * i);
    for (int64_t b = 0; b < tile->n_blocks; b++) {
        const REAL *p =
            (const REAL *)tile->panels + 16 * (panel * terms + tile->blocks[b] * of_block);
        for (int64_t f = 0; f < of_block; f++, p += 16, q += width) {
            VEC(16, ) v[4];
            for (int i = 0; i < n_panels; i++)
                v[i] = VEC(16, _load)(p + 16 * i * terms);
            for (int c = 0; c < n_contexts; c++) {
                const VEC(16, ) qs = VEC(16, _broadcast)(q[c]);
                for (int i = 0; i < n_panels; i++)
                    sums[c][i] = VEC(16, _add)(sums[c][i], VEC(16, _mul)(v[i], qs));
            }
        }
    }
    for (int c = 0; c < n_contexts; c++) {
        const VEC(16, ) y =
            VEC(16, _broadcast)(((const REAL *)tile->constants_of_contexts)[first + c]);
        for (int i = 0; i < n_panels; i++)
            VEC(16, _store)(scores + (first + c) * stride + 16 * i, VEC(16, _add)(sums[c][i], y));
    }
}

/* All contexts of the tile, n_contexts at a time, with panels [begin, end), n_panels at a time; what is
 * left over goes one by one. */
FORCE_INLINE void NAME(score_tile_by)(const score_tile *tile, const int n_contexts,
                                      const int n_panels, int64_t begin, int64_t end, REAL *scores,
                                      int64_t stride)
{
    int64_t panel = begin;
    for (; panel + n_panels <= end; panel += n_panels)
        for (int64_t first = 0; first < tile->n_contexts; first += n_contexts)
            NAME(score_panels)(tile, first, n_contexts, panel, n_panels,
                               scores + 16 * (panel - begin), stride);
    for (; panel < end; panel++)
        for (int64_t first = 0; first < tile->n_contexts; first += n_contexts)
            NAME(score_panels)(tile, first, n_contexts, panel, 1, scores + 16 * (panel - begin),
                               stride);
}

/* The kernel. The shape of the sums depends on the registers of the level, and changes no bit. */
static void NAME(score_tile)(const score_tile *tile, int64_t begin, int64_t end, void *scores,
                             int64_t stride)
{
    if (tile->n_contexts == 1)
        NAME(score_tile_by)(tile, 1, TILE_SUMS < 4 ? TILE_SUMS : 4, begin, end, (REAL *)scores,
                            stride);
    else
        NAME(score_tile_by)(tile, TILE_SUMS < 8 ? TILE_SUMS : 8, TILE_SUMS < 16 ? 1 : 2, begin, end,
                            (REAL *)scores, stride);
}
#undef TILE_SUMS

static int64_t NAME(next_above)(const void *scores_, int64_t begin, int64_t n, double threshold_)
{
    const REAL *scores = (const REAL *)scores_;
    const REAL threshold = (REAL)threshold_;
    for (; begin < n && begin % 32; begin++)
        if (scores[begin] > threshold)
            return begin;
    for (; begin + 32 <= n; begin += 32) {
        int above = 0;
        for (int lane = 0; lane < 32; lane++)
            above |= scores[begin + lane] > threshold;
        if (above)
            break;
    }
    while (begin < n && !(scores[begin] > threshold))
        begin++;
    return begin;
}
