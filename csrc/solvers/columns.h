/* One fastfm_columns, and the phases of a sweep.
 *
 *     SCORING    by rows     e of each row afresh, from scores; not in a pair plan
 *     ADDING     by rows     losses and their derivatives are added, in chunks and then in order
 *        |  w0
 *     for each block of factors
 *        SHARED_SUMS   by shared rows   q of the shared rows of all relations
 *        ROW_SUMS   by rows     q of the block; e, if w0 has changed
 *        for each colour, or run of small ones
 *           VISITING   by tasks and chunks   light columns are visited; parts of heavy ones are summed
 *           SOLVING    by heavy columns      their parts are added in order; they are solved
 *           APPLYING   by chunks             e and q of their rows
 *        for each relation
 *           GATHERING  by shared rows   records of the shared rows, from their rows
 *           its colours, as above
 *           SPREADING  by shared rows   e and q of their rows
 *     ABSENT     by columns  those without values go to what their penalties say
 *     ADDING     not when sampling
 *
 * When sampling, HYPER follows the first ADDING: sums over the columns of groups, by chunks of them; then
 * alpha, lambda and mu are drawn. SCORING is always done, and draws the latent targets of a probit model.
 * A pair plan has no SCORING, ROW_SUMS and APPLYING. */
#ifndef FASTFM_SOLVERS_COLUMNS_H
#define FASTFM_SOLVERS_COLUMNS_H

#include "base/parallel.h"
#include "rows/workspace.h"
#include "solvers/columns_relation.h"

/* Shared rows of a block of GATHERING and SPREADING. */
#define SHARED_CHUNK 64

/* A chunk of rows, or of absent columns. */
#define ROW_CHUNK 4096

typedef enum {
    SCORING,
    ADDING,
    HYPER,
    SHARED_SUMS,
    ROW_SUMS,
    GATHERING,
    SPREADING,
    VISITING,
    SOLVING,
    APPLYING,
    ABSENT,
    AT_END
} sweep_stage;

/* Columns of one group, by which sums for lambda and mu are made: places of group_order. */
typedef struct {
    int64_t group, first, end;
} group_chunk;

struct fastfm_columns {
    fastfm_csr X;
    fastfm_loss loss;
    fastfm_targets targets;
    column_plan plan;
    column_view view;
    column_view shared_view; /* of the relation whose columns are visited */
    void *w0;                /* view.w0 in the model's type */
    double *penalties;       /* lambda_w, mu_w, and lambda_V, mu_V, (stride,) each */
    void *parts;             /* (most chunks of a colour, LARGEST_PART) */
    void *steps;             /* (most heavy columns of a colour, LARGEST_STEP) */
    int64_t n_totals;   /* row chunks; in a pair plan tasks and heavy columns of the first colour */
    double *row_totals; /* (n_totals, 2) sums of losses, and of derivatives */
    double loss_sum, slope_sum;
    /* Where the sweep is. */
    sweep_stage stage;
    int has_phase;              /* whether the stage's blocks are under way, or done */
    int has_sweep;              /* a sweep is under way or to come; else only losses are added */
    int64_t relation;           /* whose columns are visited; n_relations: those of none */
    int64_t colour, end_colour; /* of VISITING, SOLVING and APPLYING */
    double w0_step;             /* what ROW_SUMS adds to e */
    int64_t n_sweeps;           /* since e was computed afresh; -1: it never was */
    double work;                /* multiply-adds that are left before the next look at signals */
    workspace *rows_check;      /* of X, while a call lasts */
    /* Of sampling. */
    int is_probit, holds_penalties;
    const double *thresholds; /* (n_thresholds,) of a probit model, ascending */
    int64_t n_thresholds;
    int64_t n_groups, n_group_chunks;
    int32_t *group_order;      /* (n_columns,) columns by groups; NULL: one group */
    int64_t *group_sizes;      /* (n_groups,) */
    group_chunk *group_chunks; /* (n_group_chunks,) */
    double *group_sums; /* (n_group_chunks, 2, stride + 1): of p, then of (p - mu)^2; w last */
    void *memory; /* behind all arrays but the penalties and those of groups and of the plan */
    int64_t bytes;
};

/* The next_phase_fn of fastfm_columns_go_on. */
int next_sweep_phase(void *context, parallel_block *body, int64_t *n_blocks);

/* Begins a sweep where the sums of derivatives are known: solves for w0. */
void begin_sweep(fastfm_columns *columns);

/* The phases' bodies. */
void sweep_score_rows(void *context, int64_t block, int thread);
void sweep_add_rows(void *context, int64_t block, int thread);
void sweep_add_pairs(void *context, int64_t block, int thread);
void sweep_shared_sums(void *context, int64_t block, int thread);
void sweep_gather(void *context, int64_t block, int thread);
void sweep_spread(void *context, int64_t block, int thread);
void sweep_row_sums(void *context, int64_t block, int thread);
void sweep_visit(void *context, int64_t block, int thread);
void sweep_visit_small(void *context, int64_t block, int thread);
void sweep_solve(void *context, int64_t block, int thread);
void sweep_apply(void *context, int64_t block, int thread);
void sweep_absent(void *context, int64_t block, int thread);
void sweep_group_sums(void *context, int64_t block, int thread);

/* Score of row i of the plan, less a latent target that is drawn between the thresholds of grade y. */
double latent_residual(const fastfm_columns *columns, int64_t i, double y, double score);

/* After ADDING and HYPER: draws alpha, lambda and mu. */
void draw_hyperparameters(fastfm_columns *columns);
void free_groups(fastfm_columns *columns);

/* The plan and the view of the columns that are visited. */
FORCE_INLINE const column_plan *visited_plan(const fastfm_columns *columns)
{
    return columns->relation < columns->plan.n_relations
               ? columns->plan.relations[columns->relation].plan
               : &columns->plan;
}

FORCE_INLINE const column_view *visited_view(const fastfm_columns *columns)
{
    return columns->relation < columns->plan.n_relations ? &columns->shared_view : &columns->view;
}

/* Blocks of VISITING: the chunks of heavy columns, and then the tasks. */
FORCE_INLINE int64_t visit_blocks(const column_colour *colour)
{
    return colour->chunks.end - colour->chunks.first + colour->tasks.end - colour->tasks.first;
}

FORCE_INLINE int64_t blocks_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

#endif
