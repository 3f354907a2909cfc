/* One fastfm_field_columns, and the phases of a sweep over the parameters of an FFM.
 *
 * With everything else held, the score is linear in w_j, and in V[j, b] of a column j of field a:
 *
 *     y_i = const + <V[j, b], x_ij R_i>,     R_i = sum over the columns l of field b, l != j, of x_il V[l, a]
 *
 * Words, beside those of kinds.h:
 *   unit       what one pass over the rows prepares: w0; the parameters of a field alone, w and V[j, a]; or those
 *              of a pair of fields, V[j, b] and V[l, a]
 *   cell       rows whose scores move together in a unit: a kind of its field, or a pair of kinds. Where pairs
 *              of kinds are more than a table has, each row is a cell
 *   slope, curvature   sums over the rows of a cell, of what kernels/columns/slopes.inc.h says of each
 *   step       what the scores of a cell's rows have moved by since the pass
 *   sum R      of a kind of a field: R_i of all rows that have it
 *
 *     PASS       by rows     steps of the last unit are added to scores; slopes and curvatures of this one
 *     SOLVING    one block   of w0, of a field, or of a pair with a table: its columns are visited, field by field
 *     or for each of the two fields, where rows are cells
 *        SUMMING    by kinds   sums R of the other field
 *        VISITING   by tasks   its columns
 *     ABSENT     by columns  parameters that no row reaches go to what their penalties say
 *     ADDING     by rows     losses
 *
 * In a unit the loss is the quadratic of its pass, which lies above it: so no visit makes it larger. */
#ifndef FASTFM_SOLVERS_FIELD_COLUMNS_H
#define FASTFM_SOLVERS_FIELD_COLUMNS_H

#include "base/parallel.h"
#include "solvers/kinds.h"

typedef enum {
    FIELD_PASS,
    FIELD_SOLVING,
    FIELD_SUMMING,
    FIELD_VISITING,
    FIELD_ABSENT,
    FIELD_ADDING,
    FIELD_AT_END
} field_stage;

/* a < 0: w0. b < 0: field a alone. */
typedef struct {
    int64_t a, b;
    int by_rows; /* a pair without a table */
    int exists;
} field_unit;

struct fastfm_field_columns {
    fastfm_csr X;
    fastfm_loss loss;
    fastfm_targets targets;
    fastfm_model model; /* with a copy of w0, w and V */
    kind_plan plan;
    double l2_linear, l2_factors; /* times the sum of the weights */
    void *scores;                 /* (n_rows,) of the model's type; e for the squared loss */
    void *fresh;                  /* (X.n_rows,) scores of X, where rows are chosen; else NULL */
    int64_t n_chunks;
    /* Of a pass: by rows, or tables of most_cells, one for each chunk. */
    double *row_slopes, *row_curvatures, *row_steps;
    /* Of a unit that is no pair by rows: by cells. */
    double *slopes, *curvatures, *steps;
    double *sums;   /* (most_kinds, k) sums R */
    double *totals; /* (n_chunks,) sums of losses */
    double loss_sum;
    /* Where the sweep is. */
    field_stage stage;
    int has_phase; /* whether the stage's blocks are under way, or done */
    int needs_scores;
    field_unit unit, last; /* the one of the pass; the one whose steps scores have not seen */
    int side;              /* 0: the columns of field a are visited; 1: those of field b */
    int64_t n_sweeps;      /* since scores were computed afresh; -1: they never were */
    double work;           /* multiply-adds that are left before the next look at signals */
    void *memory;          /* behind all arrays but those of the plan */
    int64_t bytes;
};

/* The next_phase_fn of fastfm_field_columns_go_on. */
int next_field_phase(void *context, parallel_block *body, int64_t *n_blocks);

/* The phases' bodies. */
void field_pass(void *context, int64_t block, int thread);
void field_add_losses(void *context, int64_t block, int thread);
void field_solve(void *context, int64_t block, int thread);
void field_sum_kinds(void *context, int64_t block, int thread);
void field_visit_task(void *context, int64_t block, int thread);
void field_absent(void *context, int64_t block, int thread);

/* Kinds, and columns, of a block of SUMMING and of ABSENT. */
#define FIELD_CHUNK 4096

/* Cells of a unit that is no pair by rows. */
FORCE_INLINE int64_t unit_cells(const fastfm_field_columns *columns, const field_unit *unit)
{
    const field_kinds *fields = columns->plan.fields;
    if (unit->a < 0)
        return 1;
    return fields[unit->a].n_kinds * (unit->b < 0 ? 1 : fields[unit->b].n_kinds);
}

#endif
