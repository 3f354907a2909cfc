/* Learning by columns: what its kernels and their driver share.
 *
 * With all other parameters held, the score of row i is linear in w_j and in the factors of v_j,
 *
 *     y_i = const + w_j x_ij + <v_j, h_i>,     h_i = x_ij (q_i - x_ij v_j),     q_i = sum_j x_ij v_j
 *
 * and c_i e_i^2 / 2, summed over the rows of column j, is a quadratic of either.
 *
 * Words:
 *   plan        rows of X as columns, made once: which rows each column is in, and in which order the
 *               columns are visited (solvers/columns_plan.h)
 *   block       `width` factors, 8 or 16, from `first` on: a visit solves for those of one column
 *   visit       the new w_j and the new block of v_j of one column
 *   residual e  what is left of a row: score - y; for the logistic loss (p - t) / (1/4), where p is the
 *               probability, t the smoothed target, and 1/4 the largest curvature
 *   weight c    what a row counts: its sample weight
 *   part        sums over rows of a column, or over a chunk of them: PART_SIZE numbers (sums.inc.h)
 *   chunk       up to COLUMN_CHUNK values of a heavy column, one that has more than these
 *   step        what a visit adds: 2 width + 1 numbers: that of v, v as it was, that of w
 *   relation    columns that have the same values in all rows of a kind, its shared row: what a user is
 *               like, in each row of the user. They are visited by sums over the rows of shared rows
 *               (relation.inc.h)
 *   pair plan   a plan of rows of two values of 1, in columns of two colours, with weights of 1 and the
 *               squared loss: then h_i is v of the row's other column, its mate, and nothing is kept
 *               for rows */
#ifndef FASTFM_COLUMNS_VIEW_H
#define FASTFM_COLUMNS_VIEW_H

#include "base/random.h"

/* These decide the order of additions, and with it the bits. A run is what is added first. */
#define COLUMN_RUN 64
#define COLUMN_CHUNK 4096

/* The numbers of a part of a block of `width` factors: A, sum c h h', by columns of its lower half; g,
 * sum c e h; s, sum c x h; then sum c x^2 and sum c x e. In a pair plan e is t, see pair.inc.h. */
#define PART_SIZE(width) ((width) * ((width) + 2) + 2)
#define LARGEST_PART PART_SIZE(16)
#define LARGEST_STEP 33

/* The numbers that a relation keeps of a shared row (relation.inc.h). */
#define SHARED_SIZE(width) ((width) * ((width) + 3) + 8)
#define LARGEST_SHARED SHARED_SIZE(16)

/* All arrays of `real` have the model's type. */
typedef struct {
    fastfm_type real;
    int64_t nnz;           /* values of the plan */
    const int64_t *begins; /* (n_columns + 1,) column j has the values [begins[j], begins[j + 1]) */
    const int32_t *rows;   /* (nnz,) their rows; in a pair plan their mates */
    const void *values;    /* (nnz,) real, or NULL: 1 each */
    const void *targets;   /* real; logistic: (n_rows,) t. Pair plan: (nnz,) y. Else NULL */
    const void *weights;   /* (n_rows,) real, or NULL: 1 each */
    void *residuals;       /* (n_rows,) real: e, for the logistic loss the score. Pair plan: NULL */
    void *sums;            /* (n_rows, width) real: q of the block. Pair plan: NULL */
    void *shared; /* (shared rows, SHARED_SIZE(width)) real, where rows are those of a relation:
                            * sums are q_b then, and residuals any but NULL. Else NULL */
    double w0;
    void *w, *V;          /* (n_columns,) and (n_columns, stride) real; unused factors are 0 */
    int64_t stride;       /* factors of a column in V: a multiple of 8 */
    int64_t n_factors;    /* those that are used */
    int64_t first, width; /* the block */
    int keeps_sums;       /* whether a later visit of this block reads q */
    double alpha;         /* what the squares are multiplied by: curvature, or precision */
    /* The penalties: lambda / 2 (p - mu)^2 of each parameter, by groups of columns. */
    const int32_t *groups;         /* (n_columns,) or NULL: 0 each */
    const double *lambda_w, *mu_w; /* (n_groups,) */
    const double *lambda_V, *mu_V; /* (n_groups, stride) */
    int samples; /* whether a visit draws from the posterior of its column, or takes its mean */
    uint64_t seed;
    uint32_t iteration;
} column_view;

/* The streams of random numbers. The index is a column, a row of the plan, or a hyperparameter. */
enum {
    STREAM_W0,
    STREAM_W,
    STREAM_V,
    STREAM_FEW, /* the noise of the rows of a column of few */
    STREAM_LATENT,
    STREAM_ALPHA,
    STREAM_LAMBDA,
    STREAM_MU,
    STREAM_STEP /* where v of a column is drawn near to (solve.inc.h) */
};

FORCE_INLINE random_place place_of_column(const column_view *view, uint32_t stream, int64_t index)
{
    return (random_place){view->seed, view->iteration, stream, (uint32_t)index};
}

FORCE_INLINE int64_t column_group(const column_view *view, int64_t column)
{
    return view->groups ? view->groups[column] : 0;
}

/* Adds the sums over values [begin, end) of a column to part. */
typedef void (*column_sums_kernel)(const column_view *view, int64_t column, int64_t begin,
                                   int64_t end, void *part);

/* Changes w_j (with the first block) and the block of v_j by what the sums of all its rows say, and
 * writes the step. part is used up. */
typedef void (*column_solve_kernel)(const column_view *view, int64_t column, void *part,
                                    void *step);

/* Brings e and q of the rows of values [begin, end) up to date after a step. */
typedef void (*column_apply_kernel)(const column_view *view, int64_t begin, int64_t end,
                                    const void *step);

/* Gathers what a relation keeps of a shared row, from its rows; and spreads to them what its visits have
 * changed. q: (width,) q_b. view: that of rows. */
typedef void (*relation_kernel)(const column_view *view, const int32_t *rows, int64_t n,
                                const void *q, void *record);

/* Visits n columns that share no row. part: LARGEST_PART numbers. */
typedef void (*column_visit_kernel)(const column_view *view, const int32_t *columns, int64_t n,
                                    void *part);

/* Writes q of the block for rows [begin, end) of the plan; row_ids: (n_rows,) their rows in X, or NULL
 * where those are the same. */
typedef void (*column_row_sums_kernel)(const fastfm_csr *X, const int64_t *row_ids,
                                       const column_view *view, int64_t begin, int64_t end);

/* Adds sum e and sum e^2 over all rows of n columns of a pair plan to total[0] and total[1]. */
typedef void (*pair_residuals_kernel)(const column_view *view, const int32_t *columns, int64_t n,
                                      double *total);

/* Writes slopes and curvatures of the losses of n rows, at most SLOPE_RUN, multiplied by their weights.
 * scores: (n,) real; targets: t, or NULL for the squared loss, whose scores are e; weights: or NULL, 1
 * each (slopes.inc.h). */
#define SLOPE_RUN 256
typedef void (*column_slopes_kernel)(const void *scores, const void *targets, const void *weights,
                                     int64_t n, double *slopes, double *curvatures);

#endif
