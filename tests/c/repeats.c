#include "repeats.h"

#include <stdlib.h>

static double rounded(double value, fastfm_type type)
{
    return type == FASTFM_F32 ? (double)(float)value : value;
}

/* Whether values p and q have the same column. */
static int is_same_column(const fastfm_csr *X, int64_t p, int64_t q)
{
    return get_index(X->indices, X->index_type, p) == get_index(X->indices, X->index_type, q);
}

int64_t first_of_column(const fastfm_csr *X, int64_t first, int64_t p)
{
    int64_t q = first;
    while (!is_same_column(X, p, q))
        q++;
    return q;
}

double sum_of_column(const fastfm_csr *X, int64_t p, int64_t end)
{
    double total = get_real(X->data, X->data_type, p);
    for (int64_t q = p + 1; q < end; q++)
        if (is_same_column(X, p, q))
            total = rounded(total + get_real(X->data, X->data_type, q), X->data_type);
    return total;
}

void sum_repeats_plainly(const fastfm_csr *X, void *indices, void *data)
{
    for (int64_t i = 0; i < X->n_rows; i++) {
        const int64_t first = get_index(X->indptr, X->index_type, i);
        const int64_t last = get_index(X->indptr, X->index_type, i + 1);
        int64_t n = first;
        for (int64_t p = first; p < last; p++) {
            if (first_of_column(X, first, p) < p)
                continue;
            set_index(indices, X->index_type, n, get_index(X->indices, X->index_type, p));
            set_real(data, X->data_type, n, sum_of_column(X, p, last));
            n++;
        }
        for (; n < last; n++) {
            set_index(indices, X->index_type, n, get_index(X->indices, X->index_type, first));
            set_real(data, X->data_type, n, 0);
        }
    }
}

void matrix_repeat(matrix *m, int64_t i)
{
    const int64_t first = m->indptr[i], z = m->indptr[i + 1] - first;
    for (int64_t n = z > 1 ? 1 + random_below(z) / 3 : 0; n > 0; n--) {
        const int64_t from = random_below(z), by = 1 + random_below(z - 1);
        m->indices[first + (from + by) % z] = m->indices[first + from];
    }
}

matrix matrix_repeated_rows(int64_t n_rows, int64_t longest, int64_t n_features, int64_t every)
{
    matrix m = matrix_new(n_features);
    for (int64_t i = 0; i < n_rows; i++) {
        const int64_t z = i % 3 ? random_below(longest + 1) : longest;
        matrix_random_row(&m, z, i % 2 == 0, i % 5 == 2 ? 0.5 : 0.1);
        if (i % every == 0)
            matrix_repeat(&m, i);
    }
    return m;
}

/* The place of a column among the row's first n values, or n. */
static int64_t place_of(const matrix *m, int64_t first, int64_t n, int64_t column)
{
    int64_t place = 0;
    while (place < n && m->indices[first + place] != column)
        place++;
    return place;
}

/* The first column from *next on that is not among the row's first n. */
static int64_t next_absent(const matrix *m, int64_t first, int64_t n, int64_t *next)
{
    while (place_of(m, first, n, *next) < n)
        ++*next;
    return (*next)++;
}

matrix matrix_summed(const matrix *m, fastfm_type data_type)
{
    matrix summed = matrix_new(m->n_features);
    for (int64_t i = 0; i < m->n_rows; i++) {
        const int64_t first = summed.nnz;
        int64_t n = 0, next = 0;
        for (int64_t p = m->indptr[i]; p < m->indptr[i + 1]; p++) {
            const double x = rounded(m->values[p], data_type);
            const int64_t place = place_of(&summed, first, n, m->indices[p]);
            if (place < n) {
                double *sum = &summed.values[first + place];
                *sum = rounded(*sum + x, data_type);
            } else {
                matrix_add(&summed, m->indices[p], x);
                n++;
            }
        }
        for (int64_t a = n; a < m->indptr[i + 1] - m->indptr[i]; a++)
            matrix_add(&summed, next_absent(&summed, first, n, &next), 0);
        matrix_end_row(&summed);
    }
    return summed;
}
