/* The formulas, literally and slowly: every pair of a row, in double (losses in long double).
 * Beside each sum stands its magnitude, the sum of the absolute values of its terms, which errors
 * are relative to. */
#ifndef FASTFM_TEST_REFERENCE_H
#define FASTFM_TEST_REFERENCE_H

#include "harness.h"

typedef struct {
    double value, magnitude;
} sum;

/* A row as the model sees it: the values of repeated columns summed where the column first is,
 * divided as the model says, rounded to the model's type. Explicit zeros are kept. */
typedef struct {
    int64_t n;
    int64_t *columns;
    double *x, *linear; /* in pairs, and in the linear part */
} prepared_row;

prepared_row reference_row(const fastfm_csr *X, const fastfm_model *m, int64_t i);
void prepared_row_free(prepared_row *row);

/* w0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j of row i for output c; FFM: <V[i, f_j], V[j,
 * f_i]>. */
sum reference_score(const fastfm_csr *X, const model *m, int64_t i, int64_t c);

/* Loss of one row of n_outputs scores and its derivatives (n_outputs,). */
double reference_loss(const fastfm_loss *loss, double y, const double *scores, int64_t n_outputs,
                      double *gradient);

/* As fastfm_proba for one row. */
void reference_proba(const fastfm_loss *loss, const double *scores, int64_t n_outputs,
                     double *proba);

/* Adds dscore times the gradient of the score of row i for output c: to w (n_features,) and V
 * (n_features, n_fields, k) of that output. dscore.magnitude is its possible error. */
void reference_gradient(const fastfm_csr *X, const model *m, int64_t i, int64_t c, sum dscore,
                        sum *w, sum *V);

/* What fastfm_check must say, pair by pair. */
fastfm_status reference_check(const fastfm_csr *X, int64_t n_features, int *has_repeats,
                              int64_t *bad_row);

/* y as a number, whatever its type. */
double target_value(const void *y, fastfm_type type, int64_t i);

#endif
