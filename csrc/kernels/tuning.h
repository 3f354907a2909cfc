/* Measured constants: they change the speed of a kernel and never its result.
 *
 * Each constant stands with its measurement: machine, problem and figures. What lost is in
 * docs/lab-notebook.md. Constants of a driver (values in a block, work that pays a thread) stand in
 * the driver. */
#ifndef FASTFM_TUNING_H
#define FASTFM_TUNING_H

#include "base/common.h"

/* ---------------------------------------------------------------------------- prefetch distances
 * A distance counts stored values of X: while value p is used, the parameters of value p + distance
 * are prefetched, in whichever row that value is. */

/* FM scores: as many values as fill a third of a 48 kB L1, at least 8 and at most 96.
 * bytes_per_value: of V, for one feature. Measured on 39 one-hot fields of 1M features (Zen 5), ms
 * per 100k rows at distance
 *              0     16     32     64     96
 *     k = 8   14.9 / 13.6 / 10.4 /  7.4 /  6.2
 *     k = 16  12.6 / 11.0 /  9.2 /  7.1 /  5.7
 *     k = 64  61   / 33   / 21   / 15.2 / 15.1 */
FORCE_INLINE int64_t prefetch_distance(int64_t bytes_per_value)
{
    return max_i64(8, min_i64(96, 16384 / max_i64(bytes_per_value, 1)));
}

/* FM gradients: a thread prefetches only the gradient rows that it owns, so it looks further ahead
 * than fm_score. Distances 96 / 160 / 256 on the same problem took 19.6 / 16.9 / 17.5 ms with two
 * threads at k = 8, and 22.5 / 22.0 / 20.1 ms at k = 16 (Zen 5). */
#define GRADIENT_DISTANCE 192

/* FFM: at most so many bytes of V of the next row are prefetched while a row is worked on; more
 * would push out what is in use. */
#define FFM_PREFETCH_BYTES 65536

/* FFM: whether the V of a row is prefetched whole. It is where the row has at least a quarter of
 * the model's fields (n_groups of n_fields): then it uses most of the lines that would come. */
FORCE_INLINE int ffm_prefetches_V(int64_t n_groups, int64_t n_fields)
{
    return 4 * n_groups >= n_fields;
}

/* ----------------------------------------------------------------------------- prefetch targets */

/* An FM prefetches factor blocks of at least 256 bytes into L2 only: 96 values of that size are
 * more than a 32 kB L1 holds, so it would lose some before their turn. Small parameters go into L2
 * whatever their size: so many lines at a time can be on the way to L1, and more to L2. Lines of 39
 * random values of a million features, ms per 50k rows into L1 / into L2 (Zen 4):
 *     32 bytes  18.6 / 9.3     64 bytes  20.6 / 12.2     128 bytes  33.9 / 15.8 */
FORCE_INLINE int fm_prefetches_into_L2(int64_t block_bytes, int is_small)
{
    return is_small || block_bytes >= 256;
}

/* Whether an FFM prefetches into L2 only. One row fills an L1, so the better target depends on the
 * processor (docs/lab-notebook.md); dispatch.c sets this once, when the library is loaded. */
extern int ffm_prefetches_into_L2;

/* ------------------------------------------------------------------- which of two ways is taken */

/* FFM: the most fields of a row that is scored by field sums; bounds their f * f vectors. */
#define FFM_SUMS_FIELDS 1024

/* FFM: whether a row of z values in f fields is scored by field sums and not pair by pair (see
 * ffm/pairs.inc.h): where that takes fewer multiply-adds, z f + f^2 / 2 against z (z - 1) / 2. The
 * two ways round differently, so the rule depends on the row alone. */
FORCE_INLINE int ffm_takes_sums(int64_t z, int64_t f)
{
    return f <= FFM_SUMS_FIELDS && f * (2 * z + f) < z * (z - 1);
}

/* FFM: whether field sums are kept for all fields of the model, and not only for the f fields of
 * the row. The former needs no gathering and allows long vectors; the bits are the same. */
FORCE_INLINE int ffm_sums_are_whole(int64_t f, int64_t n_fields) { return n_fields <= 2 * f; }

/* FFM: the most fields of a row that is taken in tiles of four by four fields. Sums over tiles are
 * not cut into runs, so longer rows would lose accuracy. */
#define TILE_MAX_FIELDS 256

/* check: a row of at most CHECK_SHORT values is compared pair by pair without a branch; one of at
 * most CHECK_BY_PAIRS whose columns do not ascend, pair by pair; a longer one by hashing. */
#define CHECK_SHORT 5
#define CHECK_BY_PAIRS 32

/* --------------------------------------------------------------------------------------- update */

/* Parameters that an update loop takes at once: one vector of 16 floats. The w of so many features
 * are updated together, and the state of as many features to come is prefetched. */
#define UPDATE_WIDTH 16

#endif
