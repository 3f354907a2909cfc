#include "row_blocks.h"

#include "solvers/batch.h"

int64_t row_blocks_of(const fastfm_csr *X, const fastfm_model *model, const fastfm_targets *targets,
                      int64_t *begin)
{
    const fastfm_loss loss = {.kind = FASTFM_SQUARED};
    const fastfm_solver solver = {.rule = FASTFM_SGD};
    int64_t n_blocks = 0, bad_row;
    training_batch batch;
    if (batch_open(&batch, X, model, &loss, targets, &solver, X->n_rows, 1, &bad_row) ==
        FASTFM_OK) {
        if (batch_take_rows(&batch, NULL, 0, X->n_rows, &bad_row) == FASTFM_OK &&
            batch.n_rows == X->n_rows)
            n_blocks = batch.view.n_blocks;
        for (int64_t b = 0; b <= n_blocks && n_blocks > 0; b++)
            begin[b] = batch.view.block_begin[b];
        batch_close(&batch);
    }
    return n_blocks;
}
