/* What each thread needs while it goes through rows in blocks: a place for its first fault, the
 * table of the column check, the kernels' scratch, and room for a copy of a block. All of it is
 * allocated once, before the threads start. */
#ifndef FASTFM_WORKSPACE_H
#define FASTFM_WORKSPACE_H

#include "kernels/dispatch.h"
#include "rows/blocks.h"

typedef struct {
    int64_t max_row;  /* values of the longest row */
    int64_t n_blocks; /* of X, see blocks.h */
    int64_t block_room;
    int64_t thread_bytes, scratch_offset, copy_offset;
    char *memory;              /* n_threads times thread_bytes */
    void *allocated;           /* NULL when memory is small_memory */
    int64_t small_memory[512]; /* so that one short row needs no allocation */
} workspace;

/* OK with the number of values of the longest row, or BAD_INDPTR with the first bad row. */
fastfm_status check_indptr(const fastfm_csr *X, int64_t *max_row, int64_t *bad_row);

/* Checks indptr and allocates, for blocks of about block_values values.
 *
 * model: whose kernels will run, or NULL for none: then there is no scratch.
 * Returns OK, BAD_INDPTR with its row, or NO_MEMORY; only after OK it has to be closed. */
fastfm_status workspace_open(workspace *work, const fastfm_csr *X, const fastfm_model *model,
                             int64_t block_values, int n_threads, int64_t *bad_row);
void workspace_close(workspace *work);

/* The kernels' scratch of a thread: ffm_scratch_bytes for an FFM. */
void *workspace_scratch(const workspace *work, int thread);

/* check_table_size(max_row) numbers of a thread. */
int64_t *workspace_table(const workspace *work, int thread);

/* A thread's room for a copy of a block: block_room values and rows of any type, and the values of
 * one row. */
typedef struct {
    char *indptr, *indices, *data, *row_data;
    double *linear_scale;
} block_copy;
block_copy workspace_copy(const workspace *work, int thread);

/* Checks the columns of rows [begin, end): OK, REPEATED_COLUMN, or BAD_INDEX, which is reported. */
fastfm_status workspace_check(const workspace *work, int thread, const fastfm_csr *X,
                              int64_t n_features, int64_t begin, int64_t end);

/* Remembers a fault of a row; of a thread's faults the one of the first row is kept. */
void workspace_report(const workspace *work, int thread, fastfm_status status, int64_t row);

/* The fault of all threads' that lies in the first row, or OK. */
fastfm_status workspace_fault(const workspace *work, int n_threads, int64_t *bad_row);

#endif
