/* What each thread needs while it goes through rows in blocks, allocated once before threads start:
 *
 *     fault    the first fault that the thread has found: a status and a row
 *     table    scratch of the column check and of sum_row_repeats
 *     scratch  memory of the kernels: score_scratch_bytes, which is nothing for an FM
 *     copy     room for a prepared copy of one row block
 *
 * The pieces lie in this order. Threads share no cache line. */
#ifndef FASTFM_WORKSPACE_H
#define FASTFM_WORKSPACE_H

#include "kernels/dispatch.h"
#include "rows/blocks.h"

/* Opened by workspace_open, and read-only afterwards except for the threads' memory. It must not be
 * copied or moved, because memory may point to small_memory. */
typedef struct {
    int64_t max_row;    /* values of the longest row */
    int64_t n_blocks;   /* row blocks of X (blocks.h) */
    int64_t block_room; /* values, and rows, that a copy has room for */
    int64_t thread_bytes, scratch_offset, copy_offset; /* of a thread's memory: size, and pieces */
    char *memory;                                      /* (n_threads, thread_bytes) */
    void *allocated;                                   /* NULL when memory is small_memory */
    int64_t small_memory[512]; /* so that one short row needs no allocation */
} workspace;

/* Checks indptr. OK, with the number of values of the longest row in *max_row; or BAD_INDPTR, with the
 * first row that begins below 0, ends before it begins, or ends after nnz. */
fastfm_status check_indptr(const fastfm_csr *X, int64_t *max_row, int64_t *bad_row);

/* Checks indptr and allocates.
 *
 *   model         whose kernels will run, and need scratch; NULL if none will
 *   block_values  values that a row block has, about
 *   n_threads     threads that will use the workspace, numbered from 0
 *
 * Returns OK, BAD_INDPTR with its row, or NO_MEMORY. It has to be closed only after OK. */
fastfm_status workspace_open(workspace *work, const fastfm_csr *X, const fastfm_model *model,
                             int64_t block_values, int n_threads, int64_t *bad_row);
void workspace_close(workspace *work);

/* The kernels' scratch of a thread, aligned to 8 bytes. */
void *workspace_scratch(const workspace *work, int thread);

/* The table of a thread: check_table_size(max_row) numbers. */
int64_t *workspace_table(const workspace *work, int thread);

/* The pieces of a thread's copy; n stands for block_room. Each entry has 8 bytes, so that any type
 * fits. */
typedef struct {
    char *indptr;         /* (n + 1,) in X's index type */
    char *indices, *data; /* (n,) in X's index type and in prepared_type(X, model) */
    double *linear_scale; /* (n,) one for each row */
    char *row_data;       /* (max_row,) the values of one row while it is copied */
} block_copy;
block_copy workspace_copy(const workspace *work, int thread);

/* Checks the columns of rows [begin, end) of X, whose indptr has been checked. Returns OK,
 * REPEATED_COLUMN, or BAD_INDEX. Only BAD_INDEX is reported, because repeats can be summed. */
fastfm_status workspace_check(const workspace *work, int thread, const fastfm_csr *X,
                              int64_t n_features, int64_t begin, int64_t end);

/* Remembers a fault of a row. Of the faults of a thread, the one of the first row is kept. */
void workspace_report(const workspace *work, int thread, fastfm_status status, int64_t row);

/* After all threads are done: the fault of the first row that any thread has reported, or OK. Every
 * block has been looked at, and blocks come from the rows alone: so the result does not depend on
 * the number of threads. */
fastfm_status workspace_fault(const workspace *work, int n_threads, int64_t *bad_row);

#endif
