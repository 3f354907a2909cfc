/* A matrix with a model and targets, and everything that fastfm computes from them. */
#ifndef FASTFM_TEST_PROBLEM_H
#define FASTFM_TEST_PROBLEM_H

#include "harness.h"

typedef struct {
    fastfm_type real, data, index;
    int64_t k, n_outputs, n_fields; /* n_fields is 0 for FM */
} kind;

/* Every combination of types, of one output and three, of FM and FFM: by the bits of i in 0..31.
 * problem_new makes a model that takes rows as they are. */
kind kind_of(int64_t i, int64_t k);

typedef struct {
    fastfm_csr X;
    model m;
    fastfm_loss loss;
    fastfm_targets targets;
    double weight_sum;
} problem;

problem problem_new(const matrix *rows, kind type);
void problem_free(problem *P);

/* Total and gradient grow from other values than zero, so that a write instead of an addition
 * shows. */
#define START_TOTAL 0.25
double start_value(int64_t row, int64_t entry);

typedef struct {
    void *scores, *w, *V;
    double *w0;
    double total, total_alone; /* of fastfm_gradient and of fastfm_objective */
} outputs;

outputs outputs_start(const problem *P); /* before anything is computed; scores are not set */
outputs outputs_of(const problem *P, int num_threads);
void outputs_free(outputs *out);
int same_outputs(const problem *P, const outputs *a, const outputs *b);

#endif
