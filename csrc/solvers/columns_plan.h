/* The plan of learning by columns: X by columns, their colours, and how their visits are shared.
 *
 * Words, beside those of kernels/columns/view.h:
 *   row of the plan  a row of X that counts: among those to learn from, and of positive weight
 *   colour           a set of columns of which no two have a value in the same row. So they can be visited
 *                    at the same time, with the result of visiting one after the other
 *   light, heavy     a column of at most COLUMN_CHUNK values, or of more. A heavy column is cut into chunks
 *   task             light columns of a colour that one thread visits, about TASK_VALUES values
 *   absent           a column without values in rows of the plan
 *
 * All of it comes from the data alone, never from the number of threads. */
#ifndef FASTFM_COLUMNS_PLAN_H
#define FASTFM_COLUMNS_PLAN_H

#include "kernels/columns/view.h"

#define TASK_VALUES 4096
#define TASK_COLUMN_VALUES 8 /* what a column costs beside its values, in values */

/* Sweeps after which scores are computed afresh: they are kept up to date, and roundings add up. */
#define SWEEPS_BETWEEN_SCORES 10

/* Multiply-adds between two looks at signals. */
#define WORK_OF_A_CALL 1e9

/* Positions in the arrays of a plan, [first, end). */
typedef struct {
    int64_t first, end;
} plan_range;

typedef struct {
    int64_t column, first_chunk, end_chunk;
} heavy_column;

typedef struct {
    int64_t begin, end; /* values */
    int64_t heavy;      /* its column's place among the heavy ones */
} heavy_chunk;

typedef struct {
    plan_range tasks, heavy, chunks;
    int64_t cost; /* values, and TASK_COLUMN_VALUES for each column */
    int is_small; /* light columns only, so few that threads do not pay */
} column_colour;

typedef struct column_relation column_relation; /* columns_relation.h */

typedef struct {
    int64_t n_rows, n_columns, nnz;
    fastfm_type real;
    double weight_sum;
    int64_t *row_ids; /* (n_rows,) the rows of X that they are; NULL: all, in order */
    int64_t *begins;  /* these five are those of column_view */
    int32_t *rows;
    void *values, *targets, *weights;
    int is_pair;
    int32_t *order; /* the columns that have values, by colours; the light ones of each first */
    int64_t n_colours, n_tasks, n_heavy, n_chunks;
    column_colour *colours; /* (n_colours,) */
    plan_range *tasks;      /* (n_tasks,) places in order */
    heavy_column *heavy;    /* (n_heavy,) */
    heavy_chunk *chunks;    /* (n_chunks,) */
    /* Where there are relations, the arrays above are of the other columns alone. */
    int64_t n_relations;
    column_relation *relations; /* (n_relations,) */
    uint8_t *relation_of; /* (n_columns,) 1 + the relation of a column, or 0; or NULL: 0 each */
    fastfm_csr own;       /* the rows of the plan without columns of relations */
} column_plan;

/* Makes the plan of rows of X: `rows`, (n,) different row numbers, or NULL for all. X has passed
 * fastfm_check for n_columns columns and repeats none, and has at most INT32_MAX rows and columns.
 * Values are rounded to `real`; those that are 0 then count as none.
 *
 * Returns OK, BAD_ROW with the entry of `rows` that is no row of X, or NO_MEMORY. Close it after each. */
fastfm_status column_plan_open(column_plan *plan, const fastfm_csr *X, int64_t n_columns,
                               fastfm_type real, const int64_t *rows, int64_t n,
                               const fastfm_loss *loss, const fastfm_targets *targets,
                               int64_t *bad_row);
void column_plan_close(column_plan *plan);

/* Only the rows that count: n_rows, row_ids, weights, weight_sum, and the targets of the logistic loss. */
fastfm_status plan_rows(column_plan *plan, const fastfm_csr *X, fastfm_type real,
                        const int64_t *rows, int64_t n, const fastfm_loss *loss,
                        const fastfm_targets *targets, int64_t *bad_row);

/* The row of X that row i of the plan is. */
FORCE_INLINE int64_t row_in_X(const column_plan *plan, int64_t i)
{
    return plan->row_ids ? plan->row_ids[i] : i;
}

/* column_plan_open without weights and relations, for all rows: never a pair plan. */
fastfm_status plan_flat(column_plan *plan, const fastfm_csr *X, int64_t n_columns, fastfm_type real,
                        const fastfm_loss *loss, const fastfm_targets *targets, int64_t *bad_row);

/* The parts of column_plan_open, each OK or NO_MEMORY. Colours: the colour of each column that has values,
 * else -1, to colour_of, (n_columns,). */
fastfm_status plan_colours(column_plan *plan, int32_t *colour_of);
fastfm_status plan_tasks(column_plan *plan, const int32_t *colour_of);
fastfm_status plan_pairs(column_plan *plan, const fastfm_csr *X, const fastfm_targets *targets);

#endif
