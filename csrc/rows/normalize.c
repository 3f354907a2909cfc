/* fastfm_normalize: rows divided by their length. */
#include "rows/normalize.h"

#include <math.h>

#include "base/parallel.h"
#include "rows/workspace.h"

#define BLOCK_VALUES 16384
#define WORK 16 /* of a value, in multiply-adds: two divisions */

/* In units of the largest value, whose squares neither overflow nor vanish. */
void normalize_row(fastfm_normalization how, const void *values, fastfm_type type, int64_t n,
                   void *data, fastfm_type data_type, double *linear_scale)
{
    double largest = 0, squares = 0, length, divisor;
    for (int64_t p = 0; p < n; p++) { /* no fmax: gcc 12 for aarch64 fails on it */
        const double size = fabs(real_at(values, type, p));
        largest = size > largest ? size : largest;
    }
    for (int64_t p = 0; p < n && largest > 0; p++)
        squares += real_at(values, type, p) / largest * (real_at(values, type, p) / largest);
    length = largest > 0 ? largest * sqrt(squares) : 1;
    divisor = largest > 0 ? sqrt(squares) : 1;
    for (int64_t p = 0; p < n; p++) {
        const double x = real_at(values, type, p) / (largest > 0 ? largest : 1) / divisor;
        set_real(data, data_type, p, how == FASTFM_XLEARN ? x / length : x);
    }
    if (how == FASTFM_XLEARN)
        *linear_scale = length;
}

typedef struct {
    const fastfm_csr *X;
    fastfm_normalization how;
    char *data;
    fastfm_type data_type;
    double *linear_scale;
    int64_t n_blocks;
} normalize_job;

static void normalize_block(void *context, int64_t block, int thread)
{
    const normalize_job *job = (const normalize_job *)context;
    const fastfm_csr *X = job->X;
    const int64_t size = (int64_t)real_size(X->data_type), to = (int64_t)real_size(job->data_type);
    const int64_t end = parallel_rows(X, 0, X->n_rows, block + 1, job->n_blocks);
    (void)thread;
    for (int64_t i = parallel_rows(X, 0, X->n_rows, block, job->n_blocks); i < end; i++) {
        const int64_t first = index_at(X->indptr, X->index_type, i);
        normalize_row(job->how, (const char *)X->data + first * size, X->data_type,
                      index_at(X->indptr, X->index_type, i + 1) - first, job->data + first * to,
                      job->data_type, job->linear_scale ? job->linear_scale + i : NULL);
    }
}

fastfm_status fastfm_normalize(const fastfm_csr *X, fastfm_normalization how, void *data,
                               fastfm_type data_type, double *linear_scale, int num_threads,
                               int64_t *bad_row)
{
    normalize_job job = {X,         how,          (char *)data,
                         data_type, linear_scale, 1 + (X->nnz + X->n_rows) / BLOCK_VALUES};
    int64_t longest;
    const fastfm_status status = check_indptr(X, &longest, bad_row);
    if (status == FASTFM_OK && X->n_rows > 0)
        parallel_for(job.n_blocks, normalize_block, &job,
                     parallel_threads(num_threads, WORK * (double)X->nnz));
    return status;
}
