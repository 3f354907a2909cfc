/* fastfm_sum_repeats: repeated columns. */
#include <stdlib.h>

#include "base/common.h"
#include "kernels/table.h"

typedef struct {
    int64_t column, place;
} occurrence;

static int compare_occurrences(const void *a, const void *b)
{
    const occurrence *x = (const occurrence *)a, *y = (const occurrence *)b;
    if (x->column != y->column)
        return (x->column > y->column) - (x->column < y->column);
    return (x->place > y->place) - (x->place < y->place);
}

/* first[p] = place in the row of the first value with the column of value p. */
static void first_occurrences(const fastfm_csr *X, int64_t begin, int64_t z, occurrence *sorted,
                              int64_t *first)
{
    for (int64_t a = 0; a < z; a++) {
        sorted[a].column = index_at(X->indices, X->index_type, begin + a);
        sorted[a].place = a;
    }
    qsort(sorted, (size_t)z, sizeof *sorted, compare_occurrences);
    for (int64_t a = 0; a < z; a++)
        first[sorted[a].place] = a > 0 && sorted[a].column == sorted[a - 1].column
                                     ? first[sorted[a - 1].place]
                                     : sorted[a].place;
}

fastfm_status fastfm_sum_repeats(const fastfm_csr *X, void *indptr, void *indices, void *data)
{
    int64_t max_row = 1, at = 0;
    occurrence *sorted;
    int64_t *first, *moved_to;
    for (int64_t i = 0; i < X->n_rows; i++)
        max_row = max_i64(max_row, index_at(X->indptr, X->index_type, i + 1) -
                                       index_at(X->indptr, X->index_type, i));
    sorted = (occurrence *)malloc((size_t)max_row * (sizeof *sorted + 2 * sizeof *first));
    if (!sorted)
        return FASTFM_NO_MEMORY;
    first = (int64_t *)(sorted + max_row);
    moved_to = first + max_row;
    set_index(indptr, X->index_type, 0, 0);
    for (int64_t i = 0; i < X->n_rows; i++) {
        const int64_t begin = index_at(X->indptr, X->index_type, i);
        const int64_t z = index_at(X->indptr, X->index_type, i + 1) - begin;
        first_occurrences(X, begin, z, sorted, first);
        for (int64_t a = 0; a < z; a++) {
            const double x = real_at(X->data, X->data_type, begin + a);
            if (first[a] != a) {
                const int64_t to = moved_to[first[a]];
                set_real(data, X->data_type, to, real_at(data, X->data_type, to) + x);
                continue;
            }
            moved_to[a] = at;
            set_index(indices, X->index_type, at, index_at(X->indices, X->index_type, begin + a));
            set_real(data, X->data_type, at, x);
            at++;
        }
        set_index(indptr, X->index_type, i + 1, at);
    }
    free(sorted);
    return FASTFM_OK;
}
