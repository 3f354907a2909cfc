/* Sums the values of columns that occur more than once in a row: of one row, and of a whole matrix. */
#include "rows/repeats.h"

#include <stdlib.h>

#include "kernels/table.h"

/* The place of a column among the n columns that have been written to indices so far, or n if it is
 * new; the caller then writes it at place n. A row of at most CHECK_BY_PAIRS values has no table
 * (table_size 0) and is searched; a longer one has a hash table with open addressing, whose cells
 * hold places, or -1. At least half of the cells stay empty (check_table_size). */
static int64_t place_of(const void *indices, fastfm_type type, int64_t n, int64_t column,
                        int64_t *table, int64_t table_size)
{
    int64_t cell;
    if (table_size == 0) {
        for (int64_t place = 0; place < n; place++)
            if (index_at(indices, type, place) == column)
                return place;
        return n;
    }
    cell = (int64_t)(hash_i64(column) >> 20 & (uint64_t)(table_size - 1));
    while (table[cell] >= 0) {
        if (index_at(indices, type, table[cell]) == column)
            return table[cell];
        cell = (cell + 1) & (table_size - 1);
    }
    table[cell] = n;
    return n;
}

void sum_row_repeats(const fastfm_csr *X, int64_t row, int64_t *table, void *indices, void *data)
{
    const int64_t first = index_at(X->indptr, X->index_type, row);
    const int64_t z = index_at(X->indptr, X->index_type, row + 1) - first;
    const int64_t table_size = check_table_size(z);
    int64_t n = 0;
    for (int64_t cell = 0; cell < table_size; cell++)
        table[cell] = -1;
    for (int64_t a = 0; a < z; a++) {
        const int64_t column = index_at(X->indices, X->index_type, first + a);
        const int64_t place = place_of(indices, X->index_type, n, column, table, table_size);
        const double x = real_at(X->data, X->data_type, first + a);
        if (place < n) {
            set_real(data, X->data_type, place, real_at(data, X->data_type, place) + x);
            continue;
        }
        set_index(indices, X->index_type, n, column);
        set_real(data, X->data_type, n, x);
        n++;
    }
    for (int64_t a = n; a < z; a++) { /* the rest: explicit zeros */
        set_index(indices, X->index_type, a, index_at(indices, X->index_type, 0));
        set_real(data, X->data_type, a, 0);
    }
}

/* Serial: it is called once for a matrix, and only if that has repeats. */
fastfm_status fastfm_sum_repeats(const fastfm_csr *X, void *indices, void *data)
{
    const int64_t index_bytes = (int64_t)index_size(X->index_type);
    const int64_t data_bytes = (int64_t)real_size(X->data_type);
    int64_t max_row = 0;
    int64_t *table;
    for (int64_t i = 0; i < X->n_rows; i++)
        max_row = max_i64(max_row, index_at(X->indptr, X->index_type, i + 1) -
                                       index_at(X->indptr, X->index_type, i));
    table = (int64_t *)malloc(sizeof(int64_t) * (size_t)(check_table_size(max_row) + 1));
    if (!table)
        return FASTFM_NO_MEMORY;
    for (int64_t i = 0; i < X->n_rows; i++) {
        const int64_t first = index_at(X->indptr, X->index_type, i);
        sum_row_repeats(X, i, table, (char *)indices + first * index_bytes,
                        (char *)data + first * data_bytes);
    }
    free(table);
    return FASTFM_OK;
}
