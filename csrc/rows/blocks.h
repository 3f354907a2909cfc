/* Row blocks: what one thread takes at a time. Their number and their borders come from the rows
 * alone, never from the number of threads. */
#ifndef FASTFM_BLOCKS_H
#define FASTFM_BLOCKS_H

#include "base/common.h"

/* Rows [begin, end) of X, as a matrix of their own that points into X. */
FORCE_INLINE fastfm_csr row_slice(const fastfm_csr *X, int64_t begin, int64_t end)
{
    fastfm_csr rows = *X;
    rows.n_rows = end - begin;
    rows.indptr = (const char *)X->indptr + begin * (int64_t)index_size(X->index_type);
    return rows;
}

/* How many blocks of about block_values values X has. An empty row counts as one value. */
FORCE_INLINE int64_t row_blocks(const fastfm_csr *X, int64_t block_values)
{
    return 1 + (X->nnz + X->n_rows) / block_values;
}

/* The most values and rows that one of these blocks has, if no row has more than max_row values. */
FORCE_INLINE int64_t row_block_room(const fastfm_csr *X, int64_t block_values, int64_t max_row)
{
    return min_i64(X->nnz + X->n_rows, block_values + max_row + 2);
}

/* The first row of block `block` of n_blocks blocks of rows [begin, end) that hold about equally
 * many values; `end` for block n_blocks. */
int64_t row_block_begin(const fastfm_csr *X, int64_t begin, int64_t end, int64_t block,
                        int64_t n_blocks);

#endif
