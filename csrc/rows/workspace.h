/* What each thread needs while it goes through rows: a place for its first fault, the table of the
 * column check, and the scratch of the kernels. Allocated once for all threads, before they
 * start. */
#ifndef FASTFM_WORKSPACE_H
#define FASTFM_WORKSPACE_H

#include "kernels/dispatch.h"

typedef struct {
    int64_t max_row;
    int64_t thread_bytes, scratch_offset;
    char *memory;
    void *allocated;           /* NULL when memory is small_memory */
    int64_t small_memory[256]; /* so that one short row needs no allocation */
} workspace;

/* OK with the values of the longest row, or BAD_INDPTR. */
fastfm_status check_indptr(const fastfm_csr *X, int64_t *max_row, int64_t *bad_row);

/* Checks indptr and allocates: OK, BAD_INDPTR with its row, or NO_MEMORY. */
fastfm_status workspace_open(workspace *work, const fastfm_csr *X, const fastfm_model *model,
                             int n_threads, int64_t *bad_row);
void workspace_close(workspace *work);

void *workspace_scratch(const workspace *work, int thread);

/* Checks the columns of rows [begin, end) and remembers the fault that lies in the first row. */
fastfm_status workspace_check(const workspace *work, int thread, const fastfm_csr *X,
                              int64_t n_features, int64_t begin, int64_t end);
void workspace_report(const workspace *work, int thread, fastfm_status status, int64_t row);

/* Writes zeros to one of n_parts parts of fresh memory, once a page. */
void touch_pages(char *memory, int64_t bytes, int64_t part, int64_t n_parts);

/* Multiply-adds, roughly, to score all rows. */
double score_work(const fastfm_csr *X, const fastfm_model *model);

/* The fault of all threads' that lies in the first row, or OK. A repeated column comes last: it can
 * be mended, if nothing else is wrong. */
fastfm_status workspace_fault(const workspace *work, int n_threads, int64_t *bad_row);

#endif
