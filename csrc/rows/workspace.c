/* The memory of threads while they go through rows, and the first fault that they find. */
#include "rows/workspace.h"

#include <stdlib.h>
#include <string.h>

/* What a thread has found: OK, or the fault of the first row that has one. Blocks come in any order. */
typedef struct {
    fastfm_status status;
    int64_t row;
} fault;

/* One pass over indptr. After it, [indptr[i], indptr[i + 1]) lies in [0, nnz) for every row, so kernels
 * read only what belongs to X. */
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

/* The first byte of a thread's memory. */
static char *memory_of(const workspace *work, int thread)
{
    return work->memory + thread * work->thread_bytes;
}

static fault *fault_of(const workspace *work, int thread)
{
    return (fault *)memory_of(work, thread);
}

/* Sets where the pieces of a thread's memory lie: fault (one cache line), table, scratch, copy. All
 * offsets are multiples of 8. */
static void set_sizes(workspace *work, int64_t scratch_bytes)
{
    const int64_t copy_numbers = 4 * work->block_room + 1 + work->max_row;
    work->scratch_offset = CACHE_LINE + 8 * check_table_size(work->max_row);
    work->copy_offset = work->scratch_offset + (scratch_bytes + 7) / 8 * 8;
    /* At least one line between threads: a line that two threads write moves between their caches. */
    work->thread_bytes =
        (work->copy_offset + 8 * copy_numbers + 2 * CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

/* small_memory serves predict_row: malloc would cost a good part of the time of one row. */
fastfm_status workspace_open(workspace *work, const fastfm_csr *X, const fastfm_model *model,
                             int64_t block_values, int n_threads, int64_t *bad_row)
{
    const fastfm_status status = check_indptr(X, &work->max_row, bad_row);
    const int is_ffm = model && model->fields;
    work->allocated = NULL;
    if (status != FASTFM_OK)
        return status;
    work->n_blocks = row_blocks(X, block_values);
    work->block_room = row_block_room(X, block_values, work->max_row);
    set_sizes(work, model ? score_scratch_bytes(model, work->max_row) : 0);
    work->memory = (char *)work->small_memory;
    if (work->thread_bytes * n_threads > (int64_t)sizeof work->small_memory) {
        work->allocated = malloc((size_t)(work->thread_bytes * n_threads));
        if (!work->allocated)
            return FASTFM_NO_MEMORY;
        work->memory = (char *)work->allocated;
    }
    for (int thread = 0; thread < n_threads; thread++) {
        fault_of(work, thread)->status = FASTFM_OK;
        if (is_ffm) /* no field has a group yet: see kernels/ffm/row.inc.h */
            memset(workspace_scratch(work, thread), 0xff,
                   sizeof(int32_t) * (size_t)model->n_fields);
    }
    return FASTFM_OK;
}

void workspace_close(workspace *work) { free(work->allocated); }

void *workspace_scratch(const workspace *work, int thread)
{
    return memory_of(work, thread) + work->scratch_offset;
}

int64_t *workspace_table(const workspace *work, int thread)
{
    return (int64_t *)(memory_of(work, thread) + CACHE_LINE);
}

block_copy workspace_copy(const workspace *work, int thread)
{
    block_copy copy;
    copy.indptr = memory_of(work, thread) + work->copy_offset;
    copy.indices = copy.indptr + 8 * (work->block_room + 1);
    copy.data = copy.indices + 8 * work->block_room;
    copy.linear_scale = (double *)(copy.data + 8 * work->block_room);
    copy.row_data = (char *)(copy.linear_scale + work->block_room);
    return copy;
}

/* Whether fault a is told rather than b, which may be OK. */
static int comes_first(const fault *a, const fault *b)
{
    return b->status == FASTFM_OK || a->row < b->row;
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
    int64_t row = 0;
    const fastfm_status status = kernels()->check[X->index_type == FASTFM_I64](
        X, n_features, begin, end, workspace_table(work, thread), &row);
    if (status == FASTFM_BAD_INDEX)
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
