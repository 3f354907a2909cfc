/* fastfm_check: whether rows are sound, and how large their values are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "rows/workspace.h"

#define BLOCK_VALUES 65536
#define CHECK_WORK 0.5 /* multiply-adds that a value is worth */

typedef struct {
    const fastfm_csr *X;
    int64_t n_features, n_blocks;
    const workspace *work;
    double *largest; /* NULL, or of each block */
} check_job;

/* The bits of |x|, as whole numbers, are in the order of |x|, and those of NaN come last. */
#define LARGEST(name, real, whole, most)               \
    static double name(const real *data, int64_t n)    \
    {                                                  \
        whole largest = 0, bits;                       \
        real value;                                    \
        for (int64_t p = 0; p < n; p++) {              \
            memcpy(&bits, data + p, sizeof bits);      \
            bits &= most;                              \
            largest = bits > largest ? bits : largest; \
        }                                              \
        memcpy(&value, &largest, sizeof value);        \
        return value;                                  \
    }
LARGEST(largest_f32, float, int32_t, INT32_MAX)
LARGEST(largest_f64, double, int64_t, INT64_MAX)

static void check_block(void *context, int64_t block, int thread)
{
    const check_job *job = (const check_job *)context;
    const fastfm_csr *X = job->X;
    const int64_t begin = parallel_rows(X, 0, X->n_rows, block, job->n_blocks);
    const int64_t end = parallel_rows(X, 0, X->n_rows, block + 1, job->n_blocks);
    const int64_t first = index_at(X->indptr, X->index_type, begin);
    const int64_t n = index_at(X->indptr, X->index_type, end) - first;
    workspace_check(job->work, thread, X, job->n_features, begin, end);
    if (job->largest)
        job->largest[block] = X->data_type == FASTFM_F32
                                  ? largest_f32((const float *)X->data + first, n)
                                  : largest_f64((const double *)X->data + first, n);
}

fastfm_status fastfm_check(const fastfm_csr *X, int64_t n_features, double *largest,
                           int num_threads, int64_t *bad_row)
{
    workspace work;
    check_job job = {X, n_features, 1 + (X->nnz + X->n_rows) / BLOCK_VALUES, &work, NULL};
    const int n_threads = parallel_threads(num_threads, CHECK_WORK * (double)X->nnz);
    fastfm_status status;
    if (largest)
        *largest = 0;
    if (X->n_rows == 0)
        return FASTFM_OK;
    if (largest && !(job.largest = (double *)malloc(sizeof(double) * (size_t)job.n_blocks)))
        return FASTFM_NO_MEMORY;
    status = workspace_open(&work, X, NULL, n_threads, bad_row);
    if (status == FASTFM_OK) {
        parallel_for(job.n_blocks, check_block, &job, n_threads);
        for (int64_t block = 0; largest && block < job.n_blocks; block++) {
            const double x = job.largest[block];
            if (x > *largest || isnan(x)) /* then it stays */
                *largest = x;
        }
        status = workspace_fault(&work, n_threads, bad_row);
        workspace_close(&work);
    }
    free(job.largest);
    return status;
}
