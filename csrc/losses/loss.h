/* Losses of rows, for the drivers. */
#ifndef FASTFM_LOSS_H
#define FASTFM_LOSS_H

#include "base/common.h"

/* Whether targets has a label in a row that the loss takes. */
int loss_takes_label(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                     int64_t n_outputs);

/* Loss of row i of scores (n_outputs a row) against target y[i]; gradient (n_outputs,) in double.
 * BAD_LABEL leaves the rest as it is. */
fastfm_status loss_row(const fastfm_loss *loss, const void *y, fastfm_type y_type, int64_t y_row,
                       const void *scores, fastfm_type real, int64_t score_row, int64_t n_outputs,
                       double *value, double *gradient);

/* The targets from row `begin` on. */
fastfm_targets targets_slice(const fastfm_targets *targets, int64_t begin);

FORCE_INLINE double weight_of(const fastfm_targets *targets, int64_t row)
{
    return targets->weight ? targets->weight[row] : 1;
}

/* loss_row for a row of targets whose scores are row `place` of scores. Its gradient is multiplied
 * by the row's weight over weight_sum, and written to row `place` of dscores too; *value is not. */
fastfm_status loss_row_weighted(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                                const void *scores, fastfm_type real, int64_t place,
                                int64_t n_outputs, double weight_sum, double *value,
                                double *gradient, void *dscores);

#endif
