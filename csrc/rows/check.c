/* fastfm_check: whether rows are sound, and how large their values are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "rows/prepare_block.h"

#define BLOCK_VALUES 65536
#define CHECK_WORK 0.5 /* multiply-adds that a value is worth */

typedef struct {
    const fastfm_csr *X;
    const fastfm_model *model; /* of X's width, which leaves values as they are */
    const workspace *work;
    double *largest; /* of each block, or NULL */
    char *has_repeats;
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
    const int64_t n_blocks = job->work->n_blocks;
    const int64_t begin = row_block_begin(X, 0, X->n_rows, block, n_blocks);
    const int64_t end = row_block_begin(X, 0, X->n_rows, block + 1, n_blocks);
    fastfm_csr rows;
    double *linear_scale;
    int64_t first, n;
    if (!job->largest) {
        workspace_check(job->work, thread, X, job->model->n_features, begin, end);
        return;
    }
    job->largest[block] = 0;
    job->has_repeats[block] = 0;
    if (prepare_block(job->work, thread, X, job->model, begin, end, &rows, &linear_scale) !=
        FASTFM_OK)
        return;
    job->has_repeats[block] = rows.indices != X->indices; /* else it is read in place */
    first = index_at(rows.indptr, rows.index_type, 0);
    n = index_at(rows.indptr, rows.index_type, rows.n_rows) - first;
    job->largest[block] = rows.data_type == FASTFM_F32
                              ? largest_f32((const float *)rows.data + first, n)
                              : largest_f64((const double *)rows.data + first, n);
}

fastfm_status fastfm_check(const fastfm_csr *X, int64_t n_features, double *largest,
                           int *has_repeats, int num_threads, int64_t *bad_row)
{
    workspace work;
    const fastfm_model model = {.n_features = n_features};
    check_job job = {X, &model, &work, NULL, NULL};
    const int n_threads = parallel_threads(num_threads, CHECK_WORK * (double)X->nnz);
    fastfm_status status;
    if (largest)
        *largest = *has_repeats = 0;
    if (X->n_rows == 0)
        return FASTFM_OK;
    status = workspace_open(&work, X, NULL, BLOCK_VALUES, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    if (largest) {
        job.largest = (double *)malloc((sizeof(double) + 1) * (size_t)work.n_blocks);
        if (!job.largest) {
            workspace_close(&work);
            return FASTFM_NO_MEMORY;
        }
        job.has_repeats = (char *)(job.largest + work.n_blocks);
    }
    parallel_for(work.n_blocks, check_block, &job, n_threads);
    for (int64_t block = 0; largest && block < work.n_blocks; block++) {
        const double x = job.largest[block];
        if (x > *largest || isnan(x)) /* then it stays */
            *largest = x;
        *has_repeats |= job.has_repeats[block];
    }
    status = workspace_fault(&work, n_threads, bad_row);
    free(job.largest);
    workspace_close(&work);
    return status;
}
