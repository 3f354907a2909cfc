/* Divides the features by a sample: the columns of some stored values, evenly spread over X, stand for all
 * of them. The sample is sorted, and cut where the costs of its columns reach 1 / n_shares, 2 / n_shares,
 * ... of their sum. So frequent features weigh more, and n_features does not matter. */
#include "solvers/feature_shares.h"

#include <string.h>

/* The work of a column that the sample holds once, for one of a column that it holds more often: it
 * is likely to be out of the cache when its turn comes. */
#define COLD_COST 4

/* Sorts by the byte of each number that begins at bit `shift`; keeps the order of equal ones. */
static void sort_by_byte(const int64_t *numbers, int64_t n, int shift, int64_t *sorted)
{
    int64_t at[257] = {0};
    for (int64_t s = 0; s < n; s++)
        at[1 + ((numbers[s] >> shift) & 255)]++;
    for (int byte = 0; byte < 256; byte++)
        at[byte + 1] += at[byte];
    for (int64_t s = 0; s < n; s++)
        sorted[at[(numbers[s] >> shift) & 255]++] = numbers[s];
}

/* Fills the sample, sorted, and returns its size. An index that is out of range is moved into it. One
 * byte after the other is sorted by, because one thread does this while the others wait. */
static int64_t take_sample(const fastfm_csr *X, int64_t n_features, int64_t *sample, int64_t *other)
{
    const int64_t first = index_at(X->indptr, X->index_type, 0);
    const int64_t n = index_at(X->indptr, X->index_type, X->n_rows) - first;
    const int64_t size = min_i64(n, FEATURE_SAMPLE);
    for (int64_t s = 0; s < size; s++) {
        const int64_t p = first + (int64_t)((double)n * ((double)s + 0.5) / (double)size);
        sample[s] = max_i64(0, min_i64(index_at(X->indices, X->index_type, p), n_features));
    }
    for (int shift = 0; shift < 64 && n_features >> shift > 0; shift += 16) {
        sort_by_byte(sample, size, shift, other);
        sort_by_byte(other, size, shift + 8, sample);
    }
    return size;
}

/* The work of sample[s], by whether the sorted sample has its column again. */
static int64_t cost_of(const int64_t *sample, int64_t size, int64_t s)
{
    const int is_repeated =
        (s > 0 && sample[s] == sample[s - 1]) || (s + 1 < size && sample[s] == sample[s + 1]);
    return is_repeated ? 1 : COLD_COST;
}

/* Sets the table by which share_of finds shares: of no more cells than features. The cells of a share are
 * those whose first feature it has. */
static void set_table(feature_shares *shares, int64_t n_features)
{
    shares->shift = 0;
    while ((n_features - 1) >> shares->shift >= SHARE_TABLE)
        shares->shift++;
    for (int64_t share = 0; share < shares->n; share++) {
        const int64_t round_up = (INT64_C(1) << shares->shift) - 1;
        const int64_t begin = (shares->begin[share] + round_up) >> shares->shift;
        const int64_t end = (shares->begin[share + 1] + round_up) >> shares->shift;
        memset(shares->first + begin, (int)share, (size_t)(end - begin));
    }
}

void divide_features(const fastfm_csr *X, int64_t n_features, int64_t n_shares, int64_t *sample,
                     feature_shares *shares)
{
    const int64_t size =
        n_shares > 1 ? take_sample(X, n_features, sample, sample + FEATURE_SAMPLE) : 0;
    int64_t total = 0, reached = 0, share = 1;
    for (int64_t s = 0; s < size; s++)
        total += cost_of(sample, size, s);
    shares->n = n_shares;
    shares->begin[0] = 0;
    for (int64_t s = 0; s < size; s++) {
        reached += cost_of(sample, size, s);
        while (share < n_shares && reached * n_shares >= total * share)
            shares->begin[share++] = sample[s];
    }
    while (share <= n_shares)
        shares->begin[share++] = n_features;
    set_table(shares, n_features);
}
