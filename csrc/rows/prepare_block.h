/* What every driver does to the caller's rows before a kernel reads them, one row block at a time:
 *
 *   1. check     all columns lie in [0, n_features)
 *   2. sum       the values of repeated columns (repeats.h)
 *   3. divide    rows by their length, if the model asks for it (normalize.h)
 *
 * A block that needs neither 2 nor 3 is read in place; otherwise it is copied. */
#ifndef FASTFM_PREPARE_BLOCK_H
#define FASTFM_PREPARE_BLOCK_H

#include "rows/workspace.h"

/* Prepares rows [begin, end) of X, one of the row blocks that `work` was opened for, for the kernels of
 * `model`.
 *
 *   work          open for X; indptr has therefore been checked
 *   rows          set to a view of the rows, whose row 0 is row `begin`. It points into X, or into the
 *                 thread's copy, which lasts until the thread's next call
 *   linear_scale  set to NULL, or for FASTFM_XLEARN to (end - begin,) numbers, by which the kernel
 *                 multiplies the linear parts
 *
 * Returns OK; or BAD_INDEX, which it has also reported to `work`, and `rows` must not be read. */
fastfm_status prepare_block(const workspace *work, int thread, const fastfm_csr *X,
                            const fastfm_model *model, int64_t begin, int64_t end, fastfm_csr *rows,
                            double **linear_scale);

/* Steps 2 and 3 for one row: copies row `row` of X, which has z values. Columns may be unchecked.
 *
 *   sums_repeats   whether repeated columns are summed
 *   table          as for sum_row_repeats
 *   row_data       (z,) scratch in X's data type; used only with sums_repeats
 *   indices, data  (z,) take the columns, in X's type, and the values, in prepared_type(X, model)
 *   linear_scale   for FASTFM_XLEARN takes the row's; else NULL */
void copy_prepared_row(const fastfm_csr *X, const fastfm_model *model, int64_t row,
                       int sums_repeats, int64_t *table, void *row_data, void *indices, void *data,
                       double *linear_scale);

/* Checks the whole of X after `status`, a fault that is not X's, has stopped a driver. Returns X's fault
 * and sets *bad_row, or returns `status`. So a caller hears of a bad matrix before a bad label,
 * whichever comes first. */
fastfm_status matrix_fault_or(fastfm_status status, const fastfm_csr *X, int64_t n_features,
                              int num_threads, int64_t *bad_row);

/* The type of the values of prepared rows: that of X, except that the divided rows of a float64 model
 * are float64, because a quotient rounded to float32 would lose what the model can tell. */
FORCE_INLINE fastfm_type prepared_type(const fastfm_csr *X, const fastfm_model *model)
{
    const int is_divided = model->normalization != FASTFM_AS_IS;
    return is_divided && model->real == FASTFM_F64 ? FASTFM_F64 : X->data_type;
}

#endif
