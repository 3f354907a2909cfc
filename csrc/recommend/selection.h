/* The k best of many scores: candidates above a threshold go into a buffer; when that is full, the k
 * best stay, and the worst of them is the new threshold.
 *
 * Entries are in a total order: the higher score first, and of equal scores the smaller index. So the k
 * best are one set, in whatever order and in how many parts the scores come. */
#ifndef FASTFM_SELECTION_H
#define FASTFM_SELECTION_H

#include "base/common.h"

typedef struct {
    double score; /* of float scores the same number; never NaN, and never -0 */
    int64_t index;
} scored;

typedef struct {
    scored *entries;  /* (selection_room(k),) */
    int64_t k, n;     /* at least 1; entries now */
    double threshold; /* what a score must exceed, if its index is larger than all before */
} selection;

int64_t selection_room(int64_t k);
void selection_begin(selection *best, int64_t k, scored *entries);
void selection_add(selection *best, double score, int64_t index);

/* Sorts the k best entries, or all if there are fewer; n is their number then. */
void selection_finish(selection *best);

#endif
