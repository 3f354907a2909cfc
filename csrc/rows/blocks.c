/* Where row blocks begin: a binary search, so that any thread finds its block by itself. */
#include "rows/blocks.h"

/* The first row whose values and rows before it, indptr[i] + i, reach the block's share of the whole.
 * That sum ascends with i, also over empty rows. The share is computed in double, because a product
 * of values and blocks could overflow; it is a function of the block, so neighbours agree. */
int64_t row_block_begin(const fastfm_csr *X, int64_t begin, int64_t end, int64_t block,
                        int64_t n_blocks)
{
    const int64_t first = index_at(X->indptr, X->index_type, begin) + begin;
    const int64_t work = index_at(X->indptr, X->index_type, end) + end - first;
    const int64_t target = first + (int64_t)((double)work * (double)block / (double)n_blocks);
    int64_t low = begin, high = end;
    if (block >= n_blocks)
        return end;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (index_at(X->indptr, X->index_type, middle) + middle < target)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
