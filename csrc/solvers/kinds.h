/* What rows have of each field of an FFM: the plan of its columns.
 *
 * Words:
 *   group     the values of one field in one row
 *   kind      groups of a field that are equal, with all their values, in whatever rows. A one-hot field
 *             has as many kinds as categories. Kind 0 is that of no values
 *   held      a row whose group of a field has values
 *
 * A score is a sum over pairs of groups, so a pair of kinds stands for all rows that have both. */
#ifndef FASTFM_KINDS_H
#define FASTFM_KINDS_H

#include "solvers/columns_plan.h"

typedef struct {
    int64_t n_kinds;    /* kind 0 with them; 1: nobody has values of this field */
    int32_t *kind_of;   /* (n_rows,); NULL if there is kind 0 only */
    int64_t first, end; /* its columns that have values: places in `order` */
    int64_t n_held;     /* rows */
    int32_t *held;      /* (n_held,) ascending; NULL: all rows */
    int has_groups;     /* whether a kind has more than one column */
    int64_t *begins;    /* (n_kinds + 1,) and (n_rows,) rows by kinds; or NULL, because */
    int32_t *rows;      /* no pair of fields needs them */
    int64_t n_tasks;    /* of visits by rows; 1 if columns may share a row */
    plan_range *tasks;  /* (n_tasks,) places in `order` */
} field_kinds;

typedef struct {
    column_plan rows; /* its rows, weights and targets; no columns */
    int64_t n_columns, n_fields, nnz, bytes;
    int64_t n_values;    /* of all kinds */
    int64_t chunk_rows;  /* rows of a chunk */
    int64_t most_cells;  /* kinds of one field times those of another are a table up to these */
    int64_t most_kinds;  /* of a field */
    field_kinds *fields; /* (n_fields,) */
    int32_t *order;      /* the columns that have values, by fields, ascending in each */
    int64_t *begins;     /* (n_columns + 1,) where the values of a column lie in the next two */
    int32_t *kinds;      /* (n_values,) the kinds of its field that have the column */
    double *values;      /* (n_values,) and what they have of it, rounded to the model's type */
} kind_plan;

/* Makes the plan of rows of X, as column_plan_open; fields: (n_columns,) from 0 to n_fields - 1. */
fastfm_status kind_plan_open(kind_plan *plan, const fastfm_csr *X, const fastfm_model *model,
                             const int64_t *rows, int64_t n, const fastfm_loss *loss,
                             const fastfm_targets *targets, int64_t *bad_row);
void kind_plan_close(kind_plan *plan);

/* Whether the sums over rows of two fields are made by pairs of kinds. */
FORCE_INLINE int is_table(const kind_plan *plan, const field_kinds *a, const field_kinds *b)
{
    return a->n_kinds <= plan->most_cells / b->n_kinds;
}

/* A part of kind_plan_open: kinds and their columns. OK or NO_MEMORY. */
fastfm_status find_kinds(kind_plan *plan, const fastfm_csr *X, const int32_t *field_of);

#endif
