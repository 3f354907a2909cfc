/* What kernels see of a batch of training rows. csrc/README.md has a picture of a batch's life.
 *
 * Words:
 *   row block     consecutive rows of the batch that one thread works on at a time
 *   partition     the features with the same first bits of a hash; each feature is in one partition,
 *                 and one thread at a time works on a partition, so no two write to a parameter
 *   share         a range of features whose gradients one thread at a time adds in fastfm_gradient (FM)
 *   local id      the number of a feature within a row block or a partition, in order of first
 *                 appearance, from 0
 *   accumulator   a place where the gradient of a feature is summed: (n_outputs,) numbers for w and
 *                 grad_stride numbers for V
 *   value         a stored entry of X that is not zero; explicit zeros take no part
 *
 * Sizes in comments: C = n_outputs, k = n_factors, F = n_fields (1 in an FM). */
#ifndef FASTFM_UPDATE_BATCH_H
#define FASTFM_UPDATE_BATCH_H

#include <string.h>

#include "base/common.h"

/* ----------------------------------------------------------------------- features by their hash */

/* The partition of a feature, in [0, 2^partition_bits): the first bits of its hash. */
FORCE_INLINE int64_t feature_partition(int64_t feature, int partition_bits)
{
    return (int64_t)(hash_i64(feature) >> 1 >> (63 - partition_bits));
}

/* Shares of the features: share s has the features [begin[s], begin[s + 1]). The table finds the share of a
 * feature: first[feature >> shift] is the share of the first feature with these upper bits. */
#define MAX_SHARES 256
#define SHARE_TABLE 65536 /* the most cells of the table */
typedef struct {
    int64_t n;
    int shift;
    int64_t begin[MAX_SHARES + 1];
    uint8_t first[SHARE_TABLE];
} feature_shares;

/* The share of a feature that is in range. Few cells have more than one share, so the loop ends at once. */
FORCE_INLINE int64_t share_of(const feature_shares *shares, int64_t feature)
{
    int64_t share = shares->first[feature >> shares->shift];
    while (feature >= shares->begin[share + 1])
        share++;
    return share;
}

/* What is known of one feature in some rows. */
typedef struct {
    int64_t feature;
    double largest;            /* its largest |x| */
    int32_t n_rows, local_id;  /* rows that have it */
    int32_t needs_accumulator; /* FFM: its gradient has to be summed before it is updated */
    int32_t accumulator;       /* FFM: where, or -1 */
} feature_entry;

/* The distinct features of a row block or partition: a hash table with open addressing. */
typedef struct {
    int64_t size, n;        /* cells, a power of two; features so far */
    int32_t *cells;         /* (size,) a local id, or -1 */
    feature_entry *entries; /* by local id */
} feature_table;

/* The cells that n features need: at least half of them stay empty. */
FORCE_INLINE int64_t feature_table_size(int64_t n)
{
    int64_t size = 1;
    while (size < 2 * n)
        size *= 2;
    return size;
}

/* Empties the table, for at most n features. The caller has room for feature_table_size(n) cells. */
FORCE_INLINE void feature_table_clear(feature_table *table, int64_t n)
{
    table->size = feature_table_size(n);
    table->n = 0;
    memset(table->cells, -1, (size_t)table->size * sizeof(int32_t));
}

/* Adds n_rows to the feature's count and raises its largest |x| to `size`. The feature is new if
 * the n_rows of the returned entry equals the argument. */
FORCE_INLINE feature_entry *feature_table_add(feature_table *table, int64_t feature, double size,
                                              int32_t n_rows)
{
    const uint64_t mask = (uint64_t)table->size - 1;
    feature_entry *entry;
    uint64_t at = hash_i64(feature) >> 16 & mask;
    int32_t local_id;
    while ((local_id = table->cells[at]) >= 0 && table->entries[local_id].feature != feature)
        at = (at + 1) & mask;
    if (local_id < 0) {
        table->cells[at] = local_id = (int32_t)table->n++;
        table->entries[local_id] = (feature_entry){.feature = feature, .local_id = local_id};
    }
    entry = &table->entries[local_id];
    entry->n_rows += n_rows;
    entry->largest = size > entry->largest ? size : entry->largest;
    return entry;
}

/* ----------------------------------------------------------------------------- a batch's arrays */

/* n accumulators. All but grad_stride are arrays with one row an accumulator. */
typedef struct {
    int64_t grad_stride;     /* numbers from one row of grad_V to the next: at least C F k */
    feature_entry *features; /* (n,) the feature that each belongs to */
    /* FFM. n_partial[a]: the rows added to accumulator a that lack at least one field of the model;
     * -1 while nothing has been added. Only if it is > 0, field_counts[a, b] holds how many of
     * those rows have field b: so often, beside the rows with all fields, L2 applies to V[j, b]. */
    int32_t *n_partial, *field_counts; /* (n,), (n, F) */
    char *grad_w, *grad_V;             /* (n, C) and (n, grad_stride), of the model's type */
} gradient_accumulators;

/* FM: the most bytes of an fm_value (fm/partition.inc.h). */
#define FM_VALUE_BYTES 24

/* A batch under way through fastfm_train or fastfm_gradient, as kernels see it. `rows` is the batch's
 * own copy of its rows, in order, and in row blocks; all row numbers are places in it. (The gradient
 * of an FM reads block_rows instead; the copy of a block that it reads in place is never filled.)
 * A gradient of an FM may have its values sorted by share; then a partition is a share.
 * What row block b holds of partition q begins at partition_begin[b * (n_partitions + 1) + q] of
 * `values` (FM) or `features` (FFM) and ends where that of q + 1 begins.
 * model and solver belong to the caller; of them kernels change parameters, state and scale. */
typedef struct {
    fastfm_csr rows;
    double *linear_scale; /* (n_rows,) what the linear part is multiplied by, or NULL for 1 */
    const fastfm_model *model;
    const fastfm_solver *solver;
    fastfm_state updated;   /* the arrays that a rule changes: of the model, or of a gradient */
    int64_t max_row;        /* values of the longest row that may come */
    char *scores, *dscores; /* (n_rows, C) of the model's type; dscores: weighted loss gradients */
    int64_t n_blocks, n_partitions;
    int partition_bits;       /* n_partitions is 2 to this power */
    int64_t *partition_begin; /* (n_blocks, n_partitions + 1) */
    /* FM */
    fastfm_csr
        *block_rows; /* of a gradient: (n_blocks,) the rows of each, in X or in rows; or NULL */
    int64_t *block_begin;         /* (n_blocks + 1,) the first row of each block */
    const feature_shares *shares; /* of a gradient */
    char *s;                      /* (n_rows, C, k) s_f of each row, as fm_score left it */
    void *values;                 /* (nnz,) fm_value, sorted by block and partition */
    /* FFM */
    int64_t max_update;      /* a row of more values updates no feature by itself */
    int32_t *local_id_of;    /* (nnz,) of each value's feature in its row block; -1 for a zero */
    feature_entry *features; /* (nnz,) the features of each block, sorted by partition */
    gradient_accumulators accumulators;
    int64_t *accumulator_begin; /* (n_partitions,) where those of each begin, block by block */
    int64_t *accumulator_end;   /* (n_partitions,) where those in use end */
    int32_t *merge_target;      /* per accumulator: the first one of the same feature */
} batch_view;

/* The memory of one thread, for the row block or partition that it works on. Aligned to lines, and
 * shared with no other thread. */
typedef struct {
    feature_table table;
    int32_t *to_update; /* accumulators whose features are to be updated */
    union {             /* three uses of one array, none of which outlives a kernel's phase */
        int32_t *accumulator_of_value;   /* FM: per value of the partition */
        int32_t *accumulator_of_feature; /* FFM, rows: per local id of the block; or -1 */
        int32_t *local_id_of_feature;    /* FFM, assigning: per feature entry of the partition */
    } map;
    gradient_accumulators accumulators; /* FM: of the partition; FFM: of one row's own updates */
} thread_local_data;

/* -------------------------------------------------------------------------------- kernel contracts
 * A row block or partition is worked on by one thread at a time; `local` is that thread's. */

/* FM: adds the gradients of all rows, in their order, to batch->updated, for the features
 * [owned_begin, owned_end). All other features are other threads'. */
typedef void (*gradient_kernel)(const batch_view *batch, int64_t owned_begin, int64_t owned_end);

/* FM: sorts the values of a row block by partition (fm_partition_values) or share (fm_share_values).
 * rows: those of the block, of which the first is row `begin` of the batch, and its first value is
 * value `first` of the batch. */
typedef void (*fm_partition_kernel)(const batch_view *batch, int64_t block, const fastfm_csr *rows,
                                    int64_t begin, int64_t first);

/* FM: adds the gradients of a share's values, which have been sorted, to batch->updated, in the order of
 * rows. All other features are other threads'. */
typedef void (*fm_share_kernel)(const batch_view *batch, int64_t share);

/* FFM: finds the distinct features of a row block, rows [begin, end), and sorts them by partition. */
typedef void (*ffm_partition_kernel)(const batch_view *batch, int64_t block, int64_t begin,
                                     int64_t end, thread_local_data *local);

/* FFM: gives accumulators to the features of a partition that more than one row has. */
typedef void (*ffm_assign_kernel)(const batch_view *batch, int64_t partition,
                                  thread_local_data *local);

/* FFM: adds the gradients of row i to the accumulators of its row block, which ends before row end,
 * and updates those features that have none. scratch: as ffm_score has left it for this row.
 * Returns whether all updated parameters stayed finite. */
typedef int (*ffm_accumulate_kernel)(const batch_view *batch, int64_t i, int64_t end,
                                     thread_local_data *local, void *scratch);

/* Sums the gradients of a partition's features over the batch, in row order (FM) or block order
 * (FFM). Returns n: local->to_update[0 ... n) are the accumulators that hold the sums, of
 * local->accumulators (FM) or of the batch's (FFM). */
typedef int64_t (*reduce_kernel)(const batch_view *batch, int64_t partition,
                                 thread_local_data *local);

/* Updates the features of n accumulators, to_update[0 ... n). Returns whether all parameters stayed
 * finite; one that would not keeps its value. */
typedef int (*update_features_kernel)(const batch_view *batch,
                                      const gradient_accumulators *accumulators,
                                      const int32_t *to_update, int64_t n);

/* ------------------------------------------------------------------- counting sort by partition */

/* The values or features that all row blocks together hold of a partition. */
FORCE_INLINE int64_t partition_size(const batch_view *batch, int64_t partition)
{
    int64_t size = 0;
    for (int64_t block = 0; block < batch->n_blocks; block++) {
        const int64_t *begin =
            batch->partition_begin + block * (batch->n_partitions + 1) + partition;
        size += begin[1] - begin[0];
    }
    return size;
}

/* Replaces n + 1 counts by the offsets where their items begin, the first of them at `first`. */
FORCE_INLINE void exclusive_prefix_sum(int64_t *counts, int64_t n, int64_t first)
{
    for (int64_t q = 0, next = first; q <= n; q++) {
        const int64_t count = counts[q];
        counts[q] = next;
        next += count;
    }
}

/* After each item has been placed, and has moved its offset on by one: back to where they begin. */
FORCE_INLINE void restore_offsets(int64_t *offsets, int64_t n, int64_t first)
{
    memmove(offsets + 1, offsets, (size_t)n * sizeof(int64_t));
    offsets[0] = first;
}

#endif
