/* Losses of rows, for the drivers.
 *
 * Words:
 *   target         what a row should score: y[i], of any of five types
 *   label          a target, where it may be one that the loss does not take
 *   loss gradient  d loss / d score of a row, (n_outputs,) */
#ifndef FASTFM_LOSS_H
#define FASTFM_LOSS_H

#include "base/common.h"

/* Whether the loss takes the label of a row. */
int loss_takes_label(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                     int64_t n_outputs);

/* The loss of row score_row of scores (n_outputs each, of type real) against the target y[y_row],
 * to *value, and its gradient (n_outputs,) in double. BAD_LABEL leaves both as they are. */
fastfm_status loss_row(const fastfm_loss *loss, const void *y, fastfm_type y_type, int64_t y_row,
                       const void *scores, fastfm_type real, int64_t score_row, int64_t n_outputs,
                       double *value, double *gradient);

FORCE_INLINE double weight_of(const fastfm_targets *targets, int64_t row)
{
    return targets->weight ? targets->weight[row] : 1;
}

/* loss_row for row `row` of targets, whose scores are row `place` of scores. The gradient is
 * multiplied by the row's weight over weight_sum, and also written, as `real`, to row `place` of
 * dscores; a row of weight zero has a gradient of zero whatever its loss is. *value is not
 * weighted. */
fastfm_status loss_row_weighted(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                                const void *scores, fastfm_type real, int64_t place,
                                int64_t n_outputs, double weight_sum, double *value,
                                double *gradient, void *dscores);

#endif
