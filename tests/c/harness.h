/* What the tests share: counted checks, random numbers that are the same on every platform, and
 * arrays of exactly their size, so that AddressSanitizer sees every read and write outside. */
#ifndef FASTFM_TEST_HARNESS_H
#define FASTFM_TEST_HARNESS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../../csrc/fastfm.h"

/* The case at hand, told with a failed check. */
extern char case_name[160];
#define CASE(...) ((void)snprintf(case_name, sizeof case_name, __VA_ARGS__))
#define CHECK(condition) count_check((condition) != 0, #condition, __FILE__, __LINE__)
int count_check(int passed, const char *text, const char *file, int line);
extern int64_t n_passed, n_failed;

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

extern uint64_t random_state;
uint64_t random_bits(void);
int64_t random_below(int64_t n);
double random_real(void); /* in [-1, 1), a multiple of 2^-52 */

/* malloc, or the end of the program. */
void *exactly(int64_t n, int64_t size);

int64_t type_size(fastfm_type type);
int64_t get_index(const void *indices, fastfm_type type, int64_t i);
void set_index(void *indices, fastfm_type type, int64_t i, int64_t value);
double get_real(const void *values, fastfm_type type, int64_t i);
void set_real(void *values, fastfm_type type, int64_t i, double value);
int same_bytes(const void *a, const void *b, int64_t n);
int same_value(double a, double b); /* not NaN */

/* A CSR matrix under construction, in the widest types. */
typedef struct {
    int64_t n_rows, nnz, n_features;
    int64_t *indptr, *indices;
    double *values;
    int64_t row_room, value_room;
} matrix;

matrix matrix_new(int64_t n_features);
void matrix_free(matrix *m);
void matrix_add(matrix *m, int64_t column, double value);
void matrix_end_row(matrix *m);

/* A row of z different columns, ascending or shuffled; a zero_share of the values is zero. */
void matrix_random_row(matrix *m, int64_t z, int ascending, double zero_share);

/* Rows of all lengths around the runs of 32; empty ones at both ends and inside; explicit zeros. */
matrix matrix_mixed_rows(int64_t n_features);
matrix matrix_equal_rows(int64_t n_rows, int64_t z, int64_t n_features);

/* Changes a few values and indptr or indices, in a few places or all: outside, repeated, any
 * number, not finite. */
void matrix_spoil(matrix *m);

/* The matrix as exact arrays. */
fastfm_csr csr_of(const matrix *m, fastfm_type index_type, fastfm_type data_type);
void csr_free(fastfm_csr *X);

/* Random parameters, as exact arrays of type `real` and, with the same values, in double. FM:
 * n_fields = 0. */
typedef struct {
    fastfm_model c;
    double *w0, *w, *V;
} model;

model model_random(int64_t n_features, int64_t n_fields, int64_t k, int64_t n_outputs,
                   fastfm_type real);
void model_free(model *m);

/* Entries of V for one feature. */
int64_t model_block(const fastfm_model *m);

#endif
