/* Row blocks: consecutive rows that one thread takes at a time.
 *
 * The number of blocks and their borders come from the rows alone, never from the number of threads.
 * A row counts as its stored values and one more, so that empty rows are shared out too. */
#ifndef FASTFM_BLOCKS_H
#define FASTFM_BLOCKS_H

#include "base/common.h"

/* Rows [begin, end) of X as a matrix that points into X. Its nnz is still that of X, because its
 * indptr still counts from the start of X's arrays. */
FORCE_INLINE fastfm_csr row_slice(const fastfm_csr *X, int64_t begin, int64_t end)
{
    fastfm_csr rows = *X;
    rows.n_rows = end - begin;
    rows.indptr = (const char *)X->indptr + begin * (int64_t)index_size(X->index_type);
    return rows;
}

/* The stored values of X's rows: fewer than nnz where X is a slice. indptr may be unchecked; then the
 * result is any number from 0 to nnz. */
FORCE_INLINE int64_t count_values(const fastfm_csr *X)
{
    const int64_t first = index_at(X->indptr, X->index_type, 0);
    const int64_t last = index_at(X->indptr, X->index_type, X->n_rows);
    return first >= 0 && first <= last && last <= X->nnz ? last - first : X->nnz;
}

/* How many blocks of about block_values values X has: at least 1. */
FORCE_INLINE int64_t row_blocks(const fastfm_csr *X, int64_t block_values)
{
    return 1 + (count_values(X) + X->n_rows) / block_values;
}

/* The most values and rows, added, that one of these blocks has, if no row has more than max_row
 * values. */
FORCE_INLINE int64_t row_block_room(const fastfm_csr *X, int64_t block_values, int64_t max_row)
{
    return min_i64(count_values(X) + X->n_rows, block_values + max_row + 2);
}

/* The first row of block `block` of n_blocks blocks of rows [begin, end), which hold about equally
 * many values; `end` for block n_blocks. indptr has been checked. A block may be empty, where a row
 * is longer than a block's share. */
int64_t row_block_begin(const fastfm_csr *X, int64_t begin, int64_t end, int64_t block,
                        int64_t n_blocks);

#endif
