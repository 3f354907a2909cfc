/* Visits of the columns of an FFM: what is best for a parameter vector, given what the pass has found
 * (field_columns.h). All in double, in the order of kinds, of cells, and of rows. */
#ifndef FASTFM_FIELD_VISITS_H
#define FASTFM_FIELD_VISITS_H

#include "solvers/field_columns.h"

/* Factors that are solved for together. */
#define FIELD_BLOCK 16

/* The columns of one field, against another or against 1. Cells: those of kind p of the field are
 * p * kind_step + q * other_step, for the kinds q of the other; or, if there are rows, these. */
typedef struct {
    fastfm_field_columns *columns;
    int64_t n_others, kind_step, other_step;
    const field_kinds *by_rows; /* of the field, or NULL */
    const int32_t *other_of;    /* the kinds that rows have of the other field */
    const double *sums;         /* (n_others, k) sums R of the other field */
    double *slopes, *curvatures, *steps;
    int64_t k, first, width; /* the block: factors [first, first + width) */
} field_view;

/* A: the lower half of sum curvature h h'; g: sum slope h, with the slope that steps have made; x: what the
 * column has in the cell that is added next. */
typedef struct {
    double A[FIELD_BLOCK][FIELD_BLOCK], g[FIELD_BLOCK], x;
} quadratic;

/* Adds a cell to the sums of a column. other: the kind of the other field. */
void add_cell(const field_view *view, quadratic *sum, int64_t cell, int64_t other);

/* Moves a cell by the step of a column's block. */
void step_cell(const field_view *view, const double *step, double x, int64_t cell, int64_t other);

/* Takes the step of the block's parameters, which begin at `at` and are penalised by lambda. g becomes what
 * they moved by, as they are rounded. */
void take_step(const field_view *view, quadratic *q, void *parameters, int64_t at, double lambda);

/* Visits a column whose k parameters begin at `at`, block by block. */
void visit_column(field_view *view, int64_t column, void *parameters, int64_t at, double lambda);

#endif
