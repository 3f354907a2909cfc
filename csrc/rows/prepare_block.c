/* Checks, sums and divides rows before kernels read them; prepare_block.h lists the steps. */
#include "rows/prepare_block.h"

#include <string.h>

#include "rows/normalize.h"
#include "rows/repeats.h"

void copy_prepared_row(const fastfm_csr *X, const fastfm_model *model, int64_t row,
                       int sums_repeats, int64_t *table, void *row_data, void *indices, void *data,
                       double *linear_scale)
{
    const int64_t first = index_at(X->indptr, X->index_type, row);
    const int64_t z = index_at(X->indptr, X->index_type, row + 1) - first;
    const int64_t index_bytes = (int64_t)index_size(X->index_type);
    const int64_t data_bytes = (int64_t)real_size(X->data_type);
    const void *values = (const char *)X->data + first * data_bytes;
    if (sums_repeats) {
        sum_row_repeats(X, row, table, indices, row_data);
        values = row_data;
    } else if (z > 0) { /* memcpy takes no NULL, which an empty matrix may have */
        memcpy(indices, (const char *)X->indices + first * index_bytes, (size_t)(z * index_bytes));
    }
    if (model->normalization == FASTFM_AS_IS)
        memcpy(data, values, (size_t)(z * data_bytes));
    else
        normalize_row(model->normalization, values, X->data_type, z, data, prepared_type(X, model),
                      linear_scale);
}

/* Copies rows [begin, end) of X to the thread's memory, prepared, and makes *rows a view of the copy,
 * whose indptr starts at 0. The copy has as many values as the rows, so block_room is enough. */
static void copy_block(const workspace *work, int thread, const fastfm_csr *X,
                       const fastfm_model *model, int64_t begin, int64_t end, int sums_repeats,
                       fastfm_csr *rows, double **linear_scale)
{
    const block_copy copy = workspace_copy(work, thread);
    const int64_t first = index_at(X->indptr, X->index_type, begin);
    const fastfm_type data_type = prepared_type(X, model);
    const int64_t index_bytes = (int64_t)index_size(X->index_type);
    const int64_t data_bytes = (int64_t)real_size(data_type);
    const int is_xlearn = model->normalization == FASTFM_XLEARN;
    for (int64_t i = begin; i < end; i++) {
        const int64_t to = index_at(X->indptr, X->index_type, i) - first;
        set_index(copy.indptr, X->index_type, i - begin, to);
        copy_prepared_row(X, model, i, sums_repeats, workspace_table(work, thread), copy.row_data,
                          copy.indices + to * index_bytes, copy.data + to * data_bytes,
                          is_xlearn ? copy.linear_scale + (i - begin) : NULL);
    }
    rows->nnz = index_at(X->indptr, X->index_type, end) - first;
    set_index(copy.indptr, X->index_type, end - begin, rows->nnz);
    rows->indptr = copy.indptr;
    rows->indices = copy.indices;
    rows->data = copy.data;
    rows->data_type = data_type;
    *linear_scale = is_xlearn ? copy.linear_scale : NULL;
}

/* REPEATED_COLUMN is no fault here: it only says that the block has to be copied. */
fastfm_status prepare_block(const workspace *work, int thread, const fastfm_csr *X,
                            const fastfm_model *model, int64_t begin, int64_t end, fastfm_csr *rows,
                            double **linear_scale)
{
    const fastfm_status status = workspace_check(work, thread, X, model->n_features, begin, end);
    *rows = row_slice(X, begin, end);
    *linear_scale = NULL;
    if (status == FASTFM_BAD_INDEX)
        return status;
    const int sums_repeats = status == FASTFM_REPEATED_COLUMN && !model->separates_repeats;
    if (sums_repeats || model->normalization != FASTFM_AS_IS)
        copy_block(work, thread, X, model, begin, end, sums_repeats, rows, linear_scale);
    return FASTFM_OK;
}

fastfm_status matrix_fault_or(fastfm_status status, const fastfm_csr *X, int64_t n_features,
                              int num_threads, int64_t *bad_row)
{
    int64_t row;
    const fastfm_status fault = fastfm_check(X, n_features, NULL, NULL, num_threads, &row);
    if (fault == FASTFM_OK)
        return status;
    *bad_row = row;
    return fault;
}
