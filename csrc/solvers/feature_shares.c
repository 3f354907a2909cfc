/* Divides the features by a sample: the columns of some stored values, evenly spread over X, stand for all
 * of them. The sample is sorted, and cut where the costs of its columns reach 1 / n_shares, 2 / n_shares,
 * ... of their sum. So frequent features weigh more, and n_features does not matter. */
#include "solvers/feature_shares.h"

#include <stdlib.h>

/* The work of a column that the sample holds once, for one of a column that it holds more often: it
 * is likely to be out of the cache when its turn comes. */
#define COLD_COST 4

static int compare_i64(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Fills the sample, sorted, and returns its size. An index that is out of range is moved into it. */
static int64_t take_sample(const fastfm_csr *X, int64_t n_features, int64_t *sample)
{
    const int64_t first = index_at(X->indptr, X->index_type, 0);
    const int64_t n = index_at(X->indptr, X->index_type, X->n_rows) - first;
    const int64_t size = min_i64(n, FEATURE_SAMPLE);
    for (int64_t s = 0; s < size; s++) {
        const int64_t p = first + (int64_t)((double)n * ((double)s + 0.5) / (double)size);
        sample[s] = max_i64(0, min_i64(index_at(X->indices, X->index_type, p), n_features));
    }
    qsort(sample, (size_t)size, sizeof *sample, compare_i64);
    return size;
}

/* The work of sample[s], by whether the sorted sample has its column again. */
static int64_t cost_of(const int64_t *sample, int64_t size, int64_t s)
{
    const int is_repeated =
        (s > 0 && sample[s] == sample[s - 1]) || (s + 1 < size && sample[s] == sample[s + 1]);
    return is_repeated ? 1 : COLD_COST;
}

void divide_features(const fastfm_csr *X, int64_t n_features, int64_t n_shares, int64_t *sample,
                     int64_t *share_begin)
{
    const int64_t size = n_shares > 1 ? take_sample(X, n_features, sample) : 0;
    int64_t total = 0, reached = 0, share = 1;
    for (int64_t s = 0; s < size; s++)
        total += cost_of(sample, size, s);
    share_begin[0] = 0;
    for (int64_t s = 0; s < size; s++) {
        reached += cost_of(sample, size, s);
        while (share < n_shares && reached * n_shares >= total * share)
            share_begin[share++] = sample[s];
    }
    while (share <= n_shares)
        share_begin[share++] = n_features;
}
