#include "rows/workspace.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096

typedef struct {
    fastfm_status status;
    int64_t row;
} fault;

fastfm_status check_indptr(const fastfm_csr *X, int64_t *max_row, int64_t *bad_row)
{
    int64_t previous = index_at(X->indptr, X->index_type, 0), longest = 0;
    *bad_row = 0;
    if (previous < 0 && X->n_rows > 0)
        return FASTFM_BAD_INDPTR;
    for (int64_t i = 0; i < X->n_rows; i++) {
        const int64_t next = index_at(X->indptr, X->index_type, i + 1);
        if (next < previous || next > X->nnz) {
            *bad_row = i;
            return FASTFM_BAD_INDPTR;
        }
        longest = max_i64(longest, next - previous);
        previous = next;
    }
    *max_row = longest;
    return FASTFM_OK;
}

static fault *fault_of(const workspace *work, int thread)
{
    return (fault *)(work->memory + thread * work->thread_bytes);
}

fastfm_status workspace_open(workspace *work, const fastfm_csr *X, const fastfm_model *model,
                             int n_threads, int64_t *bad_row)
{
    const fastfm_status status = check_indptr(X, &work->max_row, bad_row);
    int64_t table_bytes, scratch_bytes = 0;
    work->allocated = NULL;
    if (status != FASTFM_OK)
        return status;
    table_bytes = 8 * check_table_size(work->max_row);
    if (model && model->fields)
        scratch_bytes = ffm_scratch_bytes(work->max_row, model->n_fields, model->n_factors);
    work->scratch_offset = CACHE_LINE + table_bytes;
    /* A line more between threads, so that none waits for another's writes. */
    work->thread_bytes =
        (work->scratch_offset + scratch_bytes + 2 * CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    work->memory = (char *)work->small_memory;
    if (work->thread_bytes * n_threads > (int64_t)sizeof work->small_memory) {
        work->allocated = malloc((size_t)(work->thread_bytes * n_threads));
        if (!work->allocated)
            return FASTFM_NO_MEMORY;
        work->memory = (char *)work->allocated;
    }
    for (int thread = 0; thread < n_threads; thread++) {
        fault_of(work, thread)->status = FASTFM_OK;
        if (scratch_bytes)
            memset(workspace_scratch(work, thread), 0xff,
                   sizeof(int32_t) * (size_t)model->n_fields);
    }
    return FASTFM_OK;
}

void workspace_close(workspace *work) { free(work->allocated); }

void *workspace_scratch(const workspace *work, int thread)
{
    return work->memory + thread * work->thread_bytes + work->scratch_offset;
}

/* Whether fault a is the one to tell when b is there too. */
static int comes_first(const fault *a, const fault *b)
{
    if (b->status == FASTFM_OK)
        return 1;
    if ((a->status == FASTFM_REPEATED_COLUMN) != (b->status == FASTFM_REPEATED_COLUMN))
        return b->status == FASTFM_REPEATED_COLUMN;
    return a->row < b->row;
}

void workspace_report(const workspace *work, int thread, fastfm_status status, int64_t row)
{
    const fault found = {status, row};
    if (comes_first(&found, fault_of(work, thread)))
        *fault_of(work, thread) = found;
}

fastfm_status workspace_check(const workspace *work, int thread, const fastfm_csr *X,
                              int64_t n_features, int64_t begin, int64_t end)
{
    int64_t *table = (int64_t *)(work->memory + thread * work->thread_bytes + CACHE_LINE);
    int64_t row = 0;
    const fastfm_status status =
        kernels()->check[X->index_type == FASTFM_I64](X, n_features, begin, end, table, &row);
    if (status != FASTFM_OK)
        workspace_report(work, thread, status, row);
    return status;
}

fastfm_status workspace_fault(const workspace *work, int n_threads, int64_t *bad_row)
{
    fault first = {FASTFM_OK, 0};
    for (int thread = 0; thread < n_threads; thread++) {
        const fault *found = fault_of(work, thread);
        if (found->status != FASTFM_OK && comes_first(found, &first))
            first = *found;
    }
    *bad_row = first.row;
    return first.status;
}

void touch_pages(char *memory, int64_t bytes, int64_t part, int64_t n_parts)
{
    const int64_t n_pages = bytes / PAGE_BYTES, end = n_pages * (part + 1) / n_parts;
    for (int64_t page = n_pages * part / n_parts; page < end; page++)
        ((volatile char *)memory)[page * PAGE_BYTES] = 0;
}
