/* Sums over rows whose bits depend on the rows alone: in row order, in blocks of FASTFM_ROW_BLOCK
 * rows, then over the blocks. */
#ifndef FASTFM_LOSS_SUMS_H
#define FASTFM_LOSS_SUMS_H

#include "base/common.h"

typedef struct {
    int64_t n_outputs;
    /* (1 + n_outputs,): weight * loss, then the gradient by w0; of the block under way, and of all
     * blocks before it. */
    double *block, *total;
} loss_sums;

FORCE_INLINE void loss_sums_end_block(loss_sums *sums)
{
    for (int64_t c = 0; c <= sums->n_outputs; c++) {
        sums->total[c] += sums->block[c];
        sums->block[c] = 0;
    }
}

/* Adds n rows, the first of which is row `row` of X.
 *
 * losses: (n,), weight * loss. row_gradients: (n, n_outputs), or NULL. */
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
