/* Losses of rows, for the drivers.
 *
 * Words:
 *   target         what a row should score: y[i], of any of five types
 *   label          a target, where it may be one that the loss does not take
 *   loss gradient  d loss / d score of a row, (n_outputs,)
 *   weight         what a row counts: its loss and loss gradient are multiplied by it */
#ifndef FASTFM_LOSS_H
#define FASTFM_LOSS_H

#include "base/common.h"

/* Target i as double, which holds every class number up to 2^53 exactly. */
FORCE_INLINE double target_at(const void *y, fastfm_type type, int64_t i)
{
    switch (type) {
    case FASTFM_F32:
        return ((const float *)y)[i];
    case FASTFM_F64:
        return ((const double *)y)[i];
    case FASTFM_I32:
        return ((const int32_t *)y)[i];
    case FASTFM_I64:
        return (double)((const int64_t *)y)[i];
    default:
        return ((const uint8_t *)y)[i];
    }
}

/* Whether the loss takes the label of a row. */
int loss_takes_label(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                     int64_t n_outputs);

/* Rows that have been scored, n of them, and where their weighted losses go. All arrays are borrowed. */
typedef struct {
    const fastfm_loss *loss;
    const fastfm_targets *targets;
    double weight_sum; /* by which loss gradients are divided */
    int64_t n_outputs;
    fastfm_type real;      /* of scores and dscores */
    const void *scores;    /* (n, n_outputs) */
    double *losses;        /* (n,) takes weight * loss */
    double *row_gradients; /* (n, n_outputs) takes the loss gradient times weight / weight_sum */
    void *dscores;         /* the same in the type of the scores, which kernels read; or NULL */
} scored_rows;

/* Computes the weighted loss and loss gradient of scored row i, which is row `row` of the targets.
 * A row of weight zero has zeros, even if its loss is not finite.
 *
 * Returns OK; BAD_LABEL, and nothing has been written; or DIVERGED if the loss, before it was
 * weighted, is not finite and its weight is not zero: then all has been written. */
fastfm_status weighted_loss(const scored_rows *rows, int64_t i, int64_t row);

/* The weighted loss alone of a row of one output, which is row `row` of the targets; 0 if the loss does not
 * take its label. */
double weighted_loss_at(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                        double score);

#endif
