/* The kernels, one table of them per instruction set. Kernels trust their input: the drivers have
 * checked indptr and indices. They allocate nothing and cannot fail. */
#ifndef FASTFM_KERNELS_H
#define FASTFM_KERNELS_H

#include <math.h>
#include <string.h>

#include "../common.h"

/* Scores of rows [begin, end) into scores (row begin first). With kept not NULL also what gradients
 * need again: FM: s_f of each row and output, (rows, n_outputs, n_factors), row begin first; FFM: the
 * rows grouped by field, row i at ffm_kept_words(indptr[i], i). max_row: the longest row's values.
 * scratch: ffm_scratch_bytes for FFM, not used for FM. */
typedef void (*score_kernel)(const fastfm_csr *X, const fastfm_model *model, int64_t begin,
                             int64_t end, void *scores, void *kept, int64_t max_row, void *scratch);

/* Adds the score gradient of rows [begin, end), times dscores (row begin first), to the gradient
 * rows (slots) in [slot_begin, slot_end). sums: as fm_score left them; not used for FFM. */
typedef void (*gradient_kernel)(const fastfm_csr *X, const fastfm_model *model, int64_t begin,
                                int64_t end, const void *dscores, const void *sums, int64_t max_row,
                                const fastfm_gradient *gradient, int64_t slot_begin,
                                int64_t slot_end, void *scratch);

/* Checks the columns of rows [begin, end): OK, BAD_INDEX or REPEATED_COLUMN with the first such
 * row. table: check_table_size(longest row) numbers; only rows that are not in ascending order use
 * it. */
typedef fastfm_status (*check_kernel)(const fastfm_csr *X, int64_t n_features, int64_t begin,
                                      int64_t end, int64_t *table, int64_t *bad_row);

/* A stored value of a batch: its feature, its place in the batch's indices and data, its row. */
typedef struct {
    int64_t feature;
    uint32_t position, row;
} batch_entry;

/* A batch of rows under way through fastfm_train: copies of its rows, cut into blocks, and what has
 * been found out about them. Features are dealt to n_parts parts (partition.inc.h); the entries of a block
 * lie at its values' places, by part: those of part q from
 * part_begin[block * (n_parts + 1) + q] on. */
typedef struct {
    fastfm_csr X;
    const fastfm_model *model;
    const fastfm_solver *solver;
    int64_t max_row;
    char *scores, *dscores; /* of the model's type */
    char *kept;             /* as the score kernels left it */
    int64_t n_blocks, n_parts;
    int hash_bits;
    /* FFM: the part of each field, but for the hash, and the first field of each such part. */
    int32_t *part_of_field;
    int64_t *field_begin;
    batch_entry *entries;
    int64_t *part_begin;
} batch_data;

/* What has been found out about one part: its features, numbered as slots in order of appearance, how
 * many of its rows have each, and the sums of their gradients, those of V grad_stride apart. FFM:
 * n_partial, how many of a slot's rows do not have all fields; if there are any, field_counts, how many
 * of these rows touch V[j, b], n_fields for each slot; S: room for one of a row and field. */
typedef struct {
    int64_t table_size, n_slots, grad_stride;
    int32_t *table, *slot_of, *counts, *n_partial, *field_counts;
    int64_t *features;
    char *largest, *grad_w, *grad_V, *S;
} part_data;

/* Sorts the entries of one block of rows by part. */
typedef void (*partition_kernel)(const batch_data *B, int64_t block, int64_t begin, int64_t end);

/* Finds the features of a part and sums their gradients over the rows of the batch. */
typedef void (*sum_kernel)(const batch_data *B, int64_t part, part_data *found);

/* Updates the features of slots [begin, end). Whether all stayed finite. */
typedef int (*update_slots_kernel)(const batch_data *B, const part_data *found, int64_t begin,
                                   int64_t end);

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
    gradient_kernel fm_gradient[2][2][2], ffm_gradient[2][2][2];
    check_kernel check[2];
    partition_kernel partition[2][2][2];
    sum_kernel sum_part[2][2][2];
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

/* Numbers of eight bytes in what ffm_row.inc.h keeps of rows with z values in all. */
FORCE_INLINE int64_t ffm_kept_words(int64_t z, int64_t n_rows) { return 5 * z + 3 * n_rows; }

/* What ffm_row.inc.h lays out. */
FORCE_INLINE int64_t ffm_scratch_bytes(int64_t max_row, int64_t n_fields, int64_t n_factors)
{
    return 8 * (ffm_kept_words(max_row, 1) + 4 * max_row + (n_fields + 1) / 2 +
                ffm_scratch_vectors(max_row, n_fields) * n_factors);
}

/* Repeats are looked for pair by pair in rows up to the first length, and up to the second where
 * columns do not ascend; by hashing in longer ones. */
#define CHECK_SHORT 5
#define CHECK_BY_PAIRS 32

/* Multiplicative. */
FORCE_INLINE uint64_t feature_hash(int64_t feature)
{
    return (uint64_t)feature * UINT64_C(0x9E3779B97F4A7C15);
}

/* The part of a feature by the first bits of its hash. */
FORCE_INLINE int64_t part_of(int64_t feature, int hash_bits)
{
    return (int64_t)(feature_hash(feature) >> 1 >> (63 - hash_bits));
}

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
