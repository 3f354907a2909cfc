/* Losses of rows, for the drivers. */
#ifndef FASTFM_LOSS_H
#define FASTFM_LOSS_H

#include "common.h"

/* Loss of row i of scores (n_outputs a row) against target y[i]; gradient (n_outputs,) in double.
 * BAD_LABEL leaves the rest as it is. */
fastfm_status loss_row(const fastfm_loss *loss, const void *y, fastfm_type y_type, int64_t y_row,
                       const void *scores, fastfm_type real, int64_t score_row, int64_t n_outputs,
                       double *value, double *gradient);

#endif
