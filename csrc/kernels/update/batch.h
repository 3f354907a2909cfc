/* What kernels and drivers know of a batch under way through fastfm_train. */
#ifndef FASTFM_TRAINING_H
#define FASTFM_TRAINING_H

#include <string.h>

#include "base/common.h"

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

/* One of n_shares shares of all features, by its hash. */
FORCE_INLINE int64_t feature_share(int64_t feature, int64_t n_shares)
{
    return (int64_t)((feature_hash(feature) >> 32) * (uint64_t)n_shares >> 32);
}

/* What is known of a feature in some rows: its largest |x|, in how many it is, its number among the others.
 * FFM: whether its gradient has to be summed before it can be updated, and then in which slot, or -1. */
typedef struct {
    int64_t feature;
    double largest;
    int32_t n_rows, number, is_summed, slot;
} feature_record;

/* Features in a hash table, numbered in order of appearance. */
typedef struct {
    int64_t size, n;
    int32_t *numbers;
    feature_record *records; /* by number */
} feature_table;

/* How many places numbers needs for n features: a power of two. */
FORCE_INLINE int64_t feature_table_size(int64_t n)
{
    int64_t size = 1;
    while (size < 2 * n)
        size *= 2;
    return size;
}

FORCE_INLINE void clear_table(feature_table *table, int64_t n)
{
    table->size = feature_table_size(n);
    table->n = 0;
    memset(table->numbers, -1, (size_t)table->size * sizeof(int32_t));
}

/* Counts n_rows more of a feature, with |x| of at most size; it is new if its record then has no more. */
FORCE_INLINE feature_record *count_feature(feature_table *table, int64_t feature, double size,
                                           int32_t n_rows)
{
    const uint64_t mask = (uint64_t)table->size - 1;
    feature_record *record;
    uint64_t at = feature_hash(feature) >> 16 & mask;
    int32_t number;
    while ((number = table->numbers[at]) >= 0 && table->records[number].feature != feature)
        at = (at + 1) & mask;
    if (number < 0) {
        table->numbers[at] = number = (int32_t)table->n++;
        table->records[number] = (feature_record){.feature = feature, .number = number};
    }
    record = &table->records[number];
    record->n_rows += n_rows;
    record->largest = size > record->largest ? size : record->largest;
    return record;
}

/* Sums of gradients, by slot; those of V are grad_stride apart. FFM: n_partial, how many of a feature's rows
 * do not have all fields, or -1 before the first is added; if there are any, field_counts, how many of
 * them touch V[j, b], n_fields for each slot. */
typedef struct {
    int64_t grad_stride;
    feature_record *records;
    int32_t *n_partial, *field_counts;
    char *grad_w, *grad_V;
} gradient_sums;

/* FM: the most bytes of what fm_partition keeps of a value. */
#define FM_ENTRY_BYTES 24

/* A batch of rows under way through fastfm_train: copies of its rows, cut into blocks, and what has
 * been found out about them. Features are dealt to n_parts parts by a hash. What a block has of part q,
 * entries (FM) or features (FFM), begins at part_begin[block * (n_parts + 1) + q]. */
typedef struct {
    fastfm_csr X;
    const fastfm_model *model;
    const fastfm_solver *solver;
    fastfm_state target; /* what is updated: the model's parameters, or a gradient's arrays */
    int64_t max_row;
    char *scores, *dscores; /* of the model's type */
    int64_t n_blocks, n_parts;
    int hash_bits;
    int64_t *part_begin;
    /* FM: s_f as fm_score left it; the values by part. */
    char *s;
    void *entries;
    /* FFM: the number of each value's feature in its block, or -1 for a zero; the features of blocks by
     * part. Their sums: those of a part have slots from slots_begin to slots_end, block after block; the
     * sums of a feature come together in its first slot, which is into. Rows of at most max_update values
     * update features that are in no other row. */
    int64_t max_update;
    int32_t *number_of;
    feature_record *features;
    gradient_sums sums;
    int64_t *slots_begin, *slots_end;
    int32_t *into;
} batch_data;

/* What a thread has of the part or block that it works on. */
typedef struct {
    feature_table table;
    int32_t *slots; /* of features to be updated */
    int32_t
        *slot_of; /* FM: of each entry; FFM: of each feature of a block, or number in the part */
    gradient_sums sums; /* FM: of the part; FFM: of what one row updates */
} thread_data;

/* FM: adds the gradients of the features in `share` of n_shares shares (feature_share) to
 * B->target. */
typedef void (*gradient_kernel)(const batch_data *B, int64_t share, int64_t n_shares);

/* FM: sorts the values of a block of rows by part. */
typedef void (*fm_partition_kernel)(const batch_data *B, int64_t block, int64_t begin, int64_t end);

/* FFM: finds the features of a block of rows, and sorts them by part. */
typedef void (*ffm_partition_kernel)(const batch_data *B, int64_t block, int64_t begin, int64_t end,
                                     thread_data *own);

/* FFM: gives the features of a part slots that are in more than one row of the batch. */
typedef void (*ffm_link_kernel)(const batch_data *B, int64_t part, thread_data *own);

/* FFM: learns from row i of a block that ends with row end - 1: adds its gradients to the sums of the
 * block, and updates what has none. scratch: as ffm_score left it. Whether all stayed finite. */
typedef int (*ffm_learn_kernel)(const batch_data *B, int64_t i, int64_t end, thread_data *own,
                                void *scratch);

/* Sums the gradients of a part's features over the batch. Returns how many there are in own->slots,
 * slots of own->sums (FM) or the batch's sums (FFM). */
typedef int64_t (*sum_kernel)(const batch_data *B, int64_t part, thread_data *own);

/* Updates the features of n slots by their sums. Whether all stayed finite. */
typedef int (*update_slots_kernel)(const batch_data *B, const gradient_sums *sums,
                                   const int32_t *slots, int64_t n);

/* What all blocks have of a part. */
FORCE_INLINE int64_t size_of_part(const batch_data *B, int64_t part)
{
    int64_t size = 0;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        size += begin[1] - begin[0];
    }
    return size;
}

/* Sorting by part: counts of n_parts parts become the places where each of them goes; when all have gone,
 * places become where each part begins. */
FORCE_INLINE void places_of_parts(int64_t *at, int64_t n_parts, int64_t first)
{
    for (int64_t q = 0, next = first; q <= n_parts; q++) {
        const int64_t count = at[q];
        at[q] = next;
        next += count;
    }
}

FORCE_INLINE void begins_of_parts(int64_t *at, int64_t n_parts, int64_t first)
{
    memmove(at + 1, at, (size_t)n_parts * sizeof(int64_t));
    at[0] = first;
}

#endif
