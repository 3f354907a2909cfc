/* Where the library cuts a batch into row blocks. It is asked of csrc/solvers/batch.h, in a file of its own
 * because the library has functions of the same names as harness.h. */
#ifndef FASTFM_TEST_ROW_BLOCKS_H
#define FASTFM_TEST_ROW_BLOCKS_H

#include "../../csrc/fastfm.h"

/* The number of row blocks of a batch of all rows of X, or 0 if there is no such batch. Row block b is
 * [begin[b], begin[b + 1]); begin has room for n_rows + 1. */
int64_t row_blocks_of(const fastfm_csr *X, const fastfm_model *model, const fastfm_targets *targets,
                      int64_t *begin);

#endif
