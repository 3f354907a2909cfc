/* Selection by a threshold and a buffer; see selection.h. */
#include "recommend/selection.h"

#include <math.h>
#include <stdlib.h>

#define LEAST_ROOM 32 /* entries beyond k, so that a small k does not select after each of them */

/* Whether a comes before b. */
FORCE_INLINE int is_before(scored a, scored b)
{
    return a.score > b.score || (a.score == b.score && a.index < b.index);
}

int64_t selection_room(int64_t k) { return k + max_i64(k, LEAST_ROOM); }

void selection_begin(selection *best, int64_t k, scored *entries)
{
    best->entries = entries;
    best->k = k;
    best->n = 0;
    best->threshold = -INFINITY;
}

FORCE_INLINE scored middle_of(scored a, scored b, scored c)
{
    if (is_before(a, b))
        return is_before(b, c) ? b : is_before(a, c) ? c : a;
    return is_before(a, c) ? a : is_before(b, c) ? c : b;
}

/* Moves the k first of n entries to the front, in no order (Hoare's find). */
static void partition_first(scored *entries, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        const scored pivot = middle_of(entries[low], entries[(low + high) / 2], entries[high]);
        int64_t i = low, j = high;
        while (i <= j) {
            while (is_before(entries[i], pivot))
                i++;
            while (is_before(pivot, entries[j]))
                j--;
            if (i <= j) {
                const scored swapped = entries[i];
                entries[i++] = entries[j];
                entries[j--] = swapped;
            }
        }
        if (k - 1 <= j)
            high = j;
        else if (k - 1 >= i)
            low = i;
        else
            break;
    }
}

/* Keeps the k first entries and raises the threshold. */
static void compact(selection *best)
{
    double least = INFINITY;
    partition_first(best->entries, best->n, best->k);
    best->n = best->k;
    for (int64_t i = 0; i < best->n; i++)
        least = best->entries[i].score < least ? best->entries[i].score : least;
    best->threshold = least;
}

void selection_add(selection *best, double score, int64_t index)
{
    const scored entry = {score + 0.0, index}; /* -0 becomes 0 */
    best->entries[best->n++] = entry;
    if (best->n == selection_room(best->k))
        compact(best);
}

static int by_order(const void *a_, const void *b_)
{
    const scored a = *(const scored *)a_, b = *(const scored *)b_;
    return is_before(a, b) ? -1 : is_before(b, a);
}

void selection_finish(selection *best)
{
    if (best->n > best->k)
        compact(best);
    qsort(best->entries, (size_t)best->n, sizeof *best->entries, by_order);
}
