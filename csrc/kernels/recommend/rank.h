/* A batch of positives that a model learns to rank: what the kernels of ranking are given.
 *
 * Words:
 *   positive   an item that a context is known to prefer: an entry of the interactions
 *   negative   an item that the context has not seen, drawn at random
 *   eligible   an item that somebody has seen; others are never negatives
 *   touched    contexts and items with a gradient in the batch, numbered in the order in which the
 *              positives name them: context, positive, negative
 *   column     of a row that is one value of 1: its feature
 *   partition  the features or touched rows whose gradients one thread sums */
#ifndef FASTFM_RANK_H
#define FASTFM_RANK_H

#include "base/common.h"

typedef struct {
    const fastfm_ranking *ranking;
    const fastfm_model *model;
    const fastfm_solver *solver; /* with the learning rate of the step */
    int64_t n_positives;         /* of the batch */
    const int64_t *order;        /* (n_positives,) their entries of the interactions */
    int64_t epoch;
    /* Bits of seen items: (n_contexts, words_per_context), or NULL: rows of seen are searched. */
    const uint64_t *seen_bits;
    int64_t words_per_context;
    /* Whether every row of contexts, of items is one value of 1: then indices[row] is its column, and its
     * sums are parameters. is_plain: both, and no two rows have a column in common. */
    int has_columns_of_contexts, has_columns_of_items, is_plain;
    /* All items, if is_cached: their sums and scores alone, under the parameters of the batch. */
    int is_cached;
    void *item_sums, *item_scores; /* (n_items, k), (n_items,) */
    /* Of each positive: d loss / d score of positive and negative, both 0 if nothing is learned; the
     * negative; the loss; sums of the context; and d loss / d those sums. context_sums
     * has none where contexts are columns. */
    void *g_positive, *g_negative;     /* (batch,) */
    int32_t *negatives;                /* (batch,) */
    double *losses;                    /* (batch,) */
    void *context_sums, *grad_context; /* (batch, k) */
    /* Touched rows: contexts are their numbers, items follow n_contexts. */
    int64_t n_touched;
    int32_t *touched;  /* (room,) */
    int32_t *local;    /* (batch, 3) the numbers of context, positive and negative, or -1 */
    void *grad_rows;   /* (room, k) d loss / d sums of each */
    void *grad_scores; /* (room,) d loss / d score of each alone */
    int64_t n_partitions;
    /* Features: zeros between batches. */
    void *grad_w, *grad_V; /* (n_features,), (n_features, k) */
    uint8_t *has_gradient; /* (n_features,) */
} rank_view;

/* rank_item_sums: items [begin, end). rank_positives: positives [begin, end), with (2 k,) scratch.
 * rank_rows and rank_features: partition `begin`; the latter updates the model, and returns whether all
 * parameters stayed finite. The others return 1. */
typedef int (*rank_kernel)(const rank_view *view, int64_t begin, int64_t end, void *scratch);

#endif
