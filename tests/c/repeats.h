/* Repeated columns, plainly: rows that have them, and the same rows summed. */
#ifndef FASTFM_TEST_REPEATS_H
#define FASTFM_TEST_REPEATS_H

#include "harness.h"

/* The place of the first value of a row, from value `first` on, that has the column of value p; p
 * itself if no value before it has. */
int64_t first_of_column(const fastfm_csr *X, int64_t first, int64_t p);

/* The sum of the values [p, end) that have the column of value p, rounded to X's type each time. */
double sum_of_column(const fastfm_csr *X, int64_t p, int64_t end);

/* Gives some values of row i the column of another value of the row; at least one, if the row has
 * two values. */
void matrix_repeat(matrix *m, int64_t i);

/* Rows of all lengths, short and long, ascending and not; a row of two values or more has repeats
 * if i % every is 0. */
matrix matrix_repeated_rows(int64_t n_rows, int64_t longest, int64_t n_features, int64_t every);

/* What fastfm_sum_repeats must write, pair by pair, of a sound X: at the row's end zeros of the row's
 * first column. */
void sum_repeats_plainly(const fastfm_csr *X, void *indices, void *data);

/* The matrix with the values of repeated columns added, rounded to data_type each time, to the
 * first of them. As many explicit zeros stand at the row's end, of columns that the row does not
 * have: n_features is at least the length of the longest row. */
matrix matrix_summed(const matrix *m, fastfm_type data_type);

#endif
