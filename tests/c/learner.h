/* A model in training: copies of a problem's parameters and a solver's state, as exact arrays. */
#ifndef FASTFM_TEST_LEARNER_H
#define FASTFM_TEST_LEARNER_H

#include "problem.h"

typedef struct {
    model m;
    fastfm_solver solver;
    double total;
    fastfm_status status; /* of the last pass */
    int64_t bad_row;
} learner;

/* Options with which small problems learn; no L2, no clipping, batches of one row. */
fastfm_solver solver_of(fastfm_rule rule);

/* With scale: of ones, not for FTRL. */
learner learner_new(const problem *P, const fastfm_solver *options, int with_scale);
void learner_free(learner *L);
void learner_pass(learner *L, const problem *P, const int64_t *rows, int64_t n_rows,
                  int num_threads);

/* Parameters, state, scale, total and steps; not what the last pass returned. */
int same_learners(const learner *a, const learner *b);
int learner_is_finite(const learner *L);

/* matrix_mixed_rows with some values beyond 1, so that the scale changes. */
matrix matrix_large_values(int64_t n_features);

/* The parameters' present values in double, for the reference. */
void learner_widen(learner *L);

#endif
