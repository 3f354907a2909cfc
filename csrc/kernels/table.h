/* The kernels, one table of them per instruction set. Kernels trust their input: the drivers have
 * checked indptr and indices. They allocate nothing and cannot fail. */
#ifndef FASTFM_KERNELS_H
#define FASTFM_KERNELS_H

#include <math.h>
#include <string.h>

#include "base/common.h"
#include "kernels/update/batch.h"

/* Scores of rows [begin, end) into scores (row begin first). FM: with s not NULL also s_f of each row
 * and output, (rows, n_outputs, n_factors), row begin first. max_row: the longest row's values.
 * scratch: ffm_scratch_bytes for FFM, where the last row is left grouped by field; not used for FM. */
typedef void (*score_kernel)(const fastfm_csr *X, const fastfm_model *model, int64_t begin,
                             int64_t end, void *scores, void *s, int64_t max_row, void *scratch);

/* Checks the columns of rows [begin, end): OK, BAD_INDEX or REPEATED_COLUMN with the first such
 * row. table: check_table_size(longest row) numbers; only rows that are not in ascending order use
 * it. */
typedef fastfm_status (*check_kernel)(const fastfm_csr *X, int64_t n_features, int64_t begin,
                                      int64_t end, int64_t *table, int64_t *bad_row);

/* One update of n parameters without penalty and scale by their gradients. state: of these
 * parameters. Whether all stayed finite; one that would not keeps its value. */
typedef int (*update_kernel)(const fastfm_solver *solver, int64_t n, void *parameters, void *state0,
                             void *state1, const void *gradients);

/* Numbers in V for one feature. */
FORCE_INLINE int64_t factors_of_feature(const fastfm_model *model)
{
    return model->n_outputs * model->n_factors * (model->fields ? model->n_fields : 1);
}

/* How often an L2 penalty counts that each of n rows adds; FTRL's is on the whole parameter. */
FORCE_INLINE double penalised_rows(const fastfm_solver *solver, int64_t n)
{
    return solver->rule == FASTFM_FTRL ? 1 : (double)n;
}

/* Indexed [parameters f64][data f64][indices i64]. */
typedef struct {
    const char *name;
    score_kernel fm_score[2][2][2], ffm_score[2][2][2];
    gradient_kernel fm_gradient[2][2][2];
    check_kernel check[2];
    fm_partition_kernel fm_partition[2][2][2];
    ffm_partition_kernel ffm_partition[2][2][2];
    ffm_link_kernel ffm_link[2];
    ffm_learn_kernel ffm_learn[2];
    sum_kernel fm_sum_part[2][2][2], ffm_sum_part[2];
    update_slots_kernel update_slots[2];
    update_kernel update[2];
} kernel_table;

extern const kernel_table kernels_baseline;
#ifdef FASTFM_X86_64
extern const kernel_table kernels_avx2, kernels_avx512;
#endif

#define KERNEL_OF(entry, model, X)                                      \
    ((entry)[(model)->real == FASTFM_F64][(X)->data_type == FASTFM_F64] \
            [(X)->index_type == FASTFM_I64])

/* Sums over the stored values of a row are made in runs of this many, then over the runs: the error
 * of a float32 sum of 1000 terms stays below 1e-5 of its absolute terms (64 roundings instead of
 * 1000). */
#define RUN 32

/* The panels of factors that cover 0 ... k, the widest first:
 * PANEL(<prefix>_<width>x<vectors>, factors). */
#define FM_PANELS(k, f, prefix)           \
    while ((k) - f >= 64)                 \
        PANEL(CONCAT(prefix, _16x4), 64); \
    if ((k) - f >= 32)                    \
        PANEL(CONCAT(prefix, _16x2), 32); \
    if ((k) - f >= 16)                    \
        PANEL(CONCAT(prefix, _16x1), 16); \
    if ((k) - f >= 8)                     \
        PANEL(CONCAT(prefix, _8x1), 8);   \
    if ((k) - f >= 4)                     \
        PANEL(CONCAT(prefix, _4x1), 4);   \
    while ((k) - f >= 1)                  \
        PANEL(CONCAT(prefix, _1x1), 1);

/* Calls CALL(lanes) for runs of factors that cover 0 ... k; f is the first factor of the run. */
#define FOR_FACTORS(k, f, CALL)    \
    for (; (k) - f >= 16; f += 16) \
        CALL(16);                  \
    for (; (k) - f >= 8; f += 8)   \
        CALL(8);                   \
    for (; (k) - f >= 4; f += 4)   \
        CALL(4);                   \
    for (; (k) - f >= 1; f += 1)   \
        CALL(1);

/* How many stored values ahead their parameters are prefetched: as many as fill a third of a 48 kB
 * L1. Measured on 39 one-hot fields of 1M features (Zen 5), ms per 100k rows at distance
 *              0     16     32     64     96
 *     k = 8   14.9 / 13.6 / 10.4 /  7.4 /  6.2
 *     k = 16  12.6 / 11.0 /  9.2 /  7.1 /  5.7
 *     k = 64  61   / 33   / 21   / 15.2 / 15.1 */
FORCE_INLINE int64_t prefetch_distance(int64_t bytes_per_value)
{
    return max_i64(8, min_i64(96, 16384 / max_i64(bytes_per_value, 1)));
}

/* Values ahead whose gradient rows are prefetched: of these a thread owns but a part, hence more
 * than in fm_score. 96 / 160 / 256: 19.6 / 16.9 / 17.5 ms with two threads at k = 8,
 * 22.5 / 22.0 / 20.1 at k = 16. */
#define GRADIENT_DISTANCE 192

/* FFM: the most fields for rows that are taken in tiles of four by four fields. */
#define FOURS_FIELDS 256

/* Parameters that the loops of update take at once; so many features have their w updated together,
 * and the state of as many to come is prefetched. */
#define UPDATE_WIDTH 16

/* Prefetches `bytes` bytes (best a constant) at row `index` of an array with rows of row_bytes, into
 * L1 or only into L2. The index need not be checked yet: nothing is read, and unsigned arithmetic may
 * wrap. straddles: see prefetch_straddles. */
FORCE_INLINE void prefetch_row(const void *array, int64_t index, int64_t row_bytes, int64_t bytes,
                               int straddles, int into_L2)
{
    const uintptr_t first = (uintptr_t)array + (uintptr_t)index * (uintptr_t)row_bytes;
    if (into_L2) {
        for (int64_t b = 0; b < bytes; b += CACHE_LINE)
            PREFETCH_L2(first + (uintptr_t)b);
        if (straddles)
            PREFETCH_L2(first + (uintptr_t)bytes - 1);
    } else {
        for (int64_t b = 0; b < bytes; b += CACHE_LINE)
            PREFETCH_L1(first + (uintptr_t)b);
        if (straddles)
            PREFETCH_L1(first + (uintptr_t)bytes - 1);
    }
}

/* Where to an FM prefetches: wide rows into L2, for so many of them are on the way that a small L1
 * loses some again. */
FORCE_INLINE int fm_prefetches_into_L2(int64_t panel_bytes) { return panel_bytes >= 256; }

/* And an FFM, whose rows have about as much as an L1 holds, or more: what is better depends on the
 * processor (docs/design.md); dispatch.c sets it. */
extern int ffm_prefetches_into_L2;

/* Whether `bytes` bytes at some row may lie on a line more than their number tells. */
FORCE_INLINE int prefetch_straddles(const void *array, int64_t row_bytes, int64_t bytes)
{
    const uintptr_t start = (uintptr_t)array | (uintptr_t)row_bytes;
    return bytes >= CACHE_LINE ? start % CACHE_LINE != 0 || bytes % CACHE_LINE != 0
                               : CACHE_LINE % bytes != 0 || start % (uintptr_t)bytes != 0;
}

/* As much of the next row's FFM blocks as is prefetched. */
#define FFM_PREFETCH_BYTES 65536

/* The same in training, as a number of values. */
FORCE_INLINE int64_t ffm_values_ahead(const fastfm_model *ffm)
{
    return FFM_PREFETCH_BYTES / (factors_of_feature(ffm) * (int64_t)real_size(ffm->real));
}

/* Whether they are at all: where rows use most of what lies side by side in each. */
FORCE_INLINE int ffm_prefetches_blocks(int64_t n_groups, int64_t n_fields)
{
    return 4 * n_groups >= n_fields;
}

/* Whether a row of z values in f fields is scored by field sums: where that takes fewer steps, see
 * ffm_score.inc.h, and its f^2 vectors do not take memory without bound. */
#define FFM_SUMS_FIELDS 1024
FORCE_INLINE int ffm_takes_sums(int64_t z, int64_t f)
{
    return f <= FFM_SUMS_FIELDS && f * (2 * z + f) < z * (z - 1);
}

/* Whether S takes all fields of the model and not only the f fields of the row. */
FORCE_INLINE int ffm_sums_are_whole(int64_t f, int64_t n_fields) { return n_fields <= 2 * f; }

/* The most vectors of S that a row needs: by field sums 2 f^2 of them (then f < z / 2), f for the
 * gradient. */
FORCE_INLINE int64_t ffm_scratch_vectors(int64_t max_row, int64_t n_fields)
{
    const int64_t by_sums = min_i64(min_i64(n_fields, max_row / 2), FFM_SUMS_FIELDS);
    return max_i64(by_sums * min_i64(n_fields, 2 * by_sums), min_i64(n_fields, max_row));
}

/* What ffm_row.inc.h lays out. */
FORCE_INLINE int64_t ffm_scratch_bytes(int64_t max_row, int64_t n_fields, int64_t n_factors)
{
    return 8 * (9 * max_row + 3 + (n_fields + 1) / 2 +
                ffm_scratch_vectors(max_row, n_fields) * n_factors);
}

/* Repeats are looked for pair by pair in rows up to the first length, and up to the second where
 * columns do not ascend; by hashing in longer ones. */
#define CHECK_SHORT 5
#define CHECK_BY_PAIRS 32

FORCE_INLINE int64_t check_table_size(int64_t max_row)
{
    int64_t size = 1;
    if (max_row <= CHECK_BY_PAIRS)
        return 0;
    while (size < 2 * max_row)
        size *= 2;
    return size;
}

#endif
