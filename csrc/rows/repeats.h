/* Repeated columns. A column that occurs twice in a row would have a pair with itself, so its values are
 * summed before any kernel sees the row. */
#ifndef FASTFM_REPEATS_H
#define FASTFM_REPEATS_H

#include "base/common.h"

/* Copies row `row` of X. The values of a repeated column are added, in their order, to the first of
 * them; other columns keep their order. The copy is as long as the row: it ends with explicit zeros
 * of the row's first column, which kernels skip. So indptr stays as it is.
 *
 *     columns 3 5 3 8, values 1 2 4 8   ->   columns 3 5 8 3, values 5 2 8 0
 *
 *   indices, data  take the row's z columns and values, in X's types; they do not overlap X
 *   table          scratch of check_table_size(z) numbers; NULL if that is 0
 *
 * indptr has been checked; columns may be any numbers. */
void sum_row_repeats(const fastfm_csr *X, int64_t row, int64_t *table, void *indices, void *data);

#endif
