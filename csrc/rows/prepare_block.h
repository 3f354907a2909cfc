/* What every driver does to a block of the caller's rows before a kernel reads them: their columns
 * are checked, repeated columns are summed, and rows are divided as the model says. A block that
 * needs neither of the last two is read in place. */
#ifndef FASTFM_PREPARE_BLOCK_H
#define FASTFM_PREPARE_BLOCK_H

#include "rows/workspace.h"

/* Prepares rows [begin, end) of X, which are a block of work's blocks, for `model`'s kernels.
 *
 * rows: set to a view of them whose row 0 is row `begin`. It points into X, or into the thread's
 * copy, which lasts until the thread's next call. linear_scale: set to NULL, or for FASTFM_XLEARN
 * to (end - begin,) numbers that the linear parts are multiplied by.
 * Returns OK, or BAD_INDEX, which is also reported to work with its row. */
fastfm_status prepare_block(const workspace *work, int thread, const fastfm_csr *X,
                            const fastfm_model *model, int64_t begin, int64_t end, fastfm_csr *rows,
                            double **linear_scale);

/* Copies row `row` of X to `indices` and `data`, which have room for its values: repeats summed if
 * sums_repeats, divided by model->normalization, data in prepared_type(X, model).
 *
 * table: as for sum_row_repeats. row_data: scratch for the row's values in X's type.
 * linear_scale: of this row, for FASTFM_XLEARN; else NULL. */
void copy_prepared_row(const fastfm_csr *X, const fastfm_model *model, int64_t row,
                       int sums_repeats, int64_t *table, void *row_data, void *indices, void *data,
                       double *linear_scale);

/* The fault of X, if it has one, else `status`: faults of the matrix are told before others. */
fastfm_status matrix_fault_or(fastfm_status status, const fastfm_csr *X, int64_t n_features,
                              int num_threads, int64_t *bad_row);

/* The type of the values of prepared rows: X's, or wider for divided rows of a float64 model. */
FORCE_INLINE fastfm_type prepared_type(const fastfm_csr *X, const fastfm_model *model)
{
    const int is_divided = model->normalization != FASTFM_AS_IS;
    return is_divided && model->real == FASTFM_F64 ? FASTFM_F64 : X->data_type;
}

#endif
