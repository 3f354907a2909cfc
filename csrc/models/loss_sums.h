/* Sums over rows whose bits depend on the rows alone.
 *
 * Losses are added in row order in blocks of FASTFM_ROW_BLOCK rows, which begin at multiples of
 * FASTFM_ROW_BLOCK rows of X; then the blocks are added. A row's term passes through n / 256 + 256
 * additions at most, not n, so long sums stay accurate.
 *
 * A driver may give the rows in pieces of any length: loss_sums_add goes on where it was. In the end
 * it calls loss_sums_end_block once. */
#ifndef FASTFM_LOSS_SUMS_H
#define FASTFM_LOSS_SUMS_H

#include "base/common.h"

/* Both arrays belong to the caller. [0] is of weight * loss, [1 + c] of the gradient of w0[c]. */
typedef struct {
    int64_t n_outputs; /* of which gradients are summed; 0 for losses only */
    double *block;     /* (1 + n_outputs,) of the block under way; zeros at first */
    double *total;     /* (1 + n_outputs,) of what it starts with and all blocks before */
} loss_sums;

/* Adds the block under way to the total, and begins another. */
FORCE_INLINE void loss_sums_end_block(loss_sums *sums)
{
    for (int64_t c = 0; c <= sums->n_outputs; c++) {
        sums->total[c] += sums->block[c];
        sums->block[c] = 0;
    }
}

/* Adds n rows, the first of which is row `row` of X.
 *
 *   losses         (n,) weight * loss
 *   row_gradients  (n, n_outputs) weighted loss gradients; NULL only if n_outputs is 0 */
FORCE_INLINE void loss_sums_add(loss_sums *sums, int64_t row, int64_t n, const double *losses,
                                const double *row_gradients)
{
    for (int64_t i = 0; i < n; i++) {
        if ((row + i) % FASTFM_ROW_BLOCK == 0)
            loss_sums_end_block(sums);
        sums->block[0] += losses[i];
        for (int64_t c = 0; row_gradients && c < sums->n_outputs; c++)
            sums->block[1 + c] += row_gradients[i * sums->n_outputs + c];
    }
}

#endif
