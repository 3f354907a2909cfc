/* Repeated columns. A column that occurs twice in a row would interact with itself, so its values
 * are summed first. */
#ifndef FASTFM_REPEATS_H
#define FASTFM_REPEATS_H

#include "base/common.h"

/* Copies row `row` of X, with the values of repeated columns added, in their order, to the first
 * of them. The copy is as long as the row: it ends with explicit zeros, which are no entries.
 *
 * indices, data: room for the row's values, in X's types.
 * table: scratch of check_table_size(values of the row) numbers. */
void sum_row_repeats(const fastfm_csr *X, int64_t row, int64_t *table, void *indices, void *data);

#endif
