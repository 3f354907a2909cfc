/* gram: A += sum_t G_t H_t' over the rows of a run, the lower half of it.
 *
 *   H, G  (n,) pointers to rows of BLOCK_WIDTH numbers; n is at most COLUMN_RUN; G may be H
 *   A     (BLOCK_WIDTH, BLOCK_WIDTH): A[a * BLOCK_WIDTH + b] is that of column a and row b >= a. Others
 *         may be written, too, and mean nothing
 * Template parameters: those of widths.inc.h, and LANES. A tile of A stays in registers while all rows
 * are added to it. Each entry is the sum of its own terms, in row order: so the tile changes no bit. */
#if LANES >= 16 && BLOCK_WIDTH == 16
#define TILE 16
#define TILE_COLUMNS 16
#elif LANES >= 8
#define TILE 8
#define TILE_COLUMNS 8
#else
#define TILE 4
#define TILE_COLUMNS 8
#endif
FORCE_INLINE void BLOCK_NAME(gram)(const REAL *const *H, const REAL *const *G, int n,
                                   REAL *RESTRICT A)
{
    for (int a = 0; a < BLOCK_WIDTH; a += TILE_COLUMNS)
        for (int b = a / TILE * TILE; b < BLOCK_WIDTH; b += TILE) {
            VEC(TILE, ) tile[TILE_COLUMNS];
            for (int i = 0; i < TILE_COLUMNS; i++)
                tile[i] = VEC(TILE, _zero)();
            for (int t = 0; t < n; t++) {
                const VEC(TILE, ) h = VEC(TILE, _load)(H[t] + b);
                const REAL *RESTRICT g = G[t] + a;
                for (int i = 0; i < TILE_COLUMNS; i++)
                    tile[i] =
                        VEC(TILE, _add)(tile[i], VEC(TILE, _mul)(VEC(TILE, _broadcast)(g[i]), h));
            }
            for (int i = 0; i < TILE_COLUMNS; i++) {
                REAL *entry = A + (a + i) * BLOCK_WIDTH + b;
                VEC(TILE, _store)(entry, VEC(TILE, _add)(VEC(TILE, _load)(entry), tile[i]));
            }
        }
}
#undef TILE_COLUMNS
#undef TILE
