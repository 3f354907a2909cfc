/* fastfm_l2: the sum of squares of a parameter, and the gradient of its L2 penalty.
 *
 *     |p|^2 = sum_i p_i^2,     grad_i += scale p_i
 *
 * Threads share chunks of CHUNK_VALUES numbers. A chunk is added in eight chains, number i in chain
 * i % 8, and the chains are added as a tree; then the chunks are added in order. So the order of
 * additions depends on n alone. */
#include <stdlib.h>

#include "base/parallel.h"

#define CHUNK_VALUES 65536

/* One call of fastfm_l2. */
typedef struct {
    const void *values; /* (n,) of type real */
    fastfm_type real;
    int64_t n;
    double scale;
    void *grad;         /* (n,) of type real, or NULL */
    double *chunk_sums; /* (n_chunks,) takes the sum of squares of each chunk */
} l2_job;

/* Adds the squares of a chunk to the chains, and its penalty to grad. Squares are summed in double,
 * grad in the parameter's type. Eight chains, because one alone would wait for its last addition. */
#define ADD_CHUNK(real_type)                                                            \
    do {                                                                                \
        const real_type *values = (const real_type *)job->values + begin;               \
        real_type *grad = job->grad ? (real_type *)job->grad + begin : NULL;            \
        const real_type scale = (real_type)job->scale;                                  \
        for (int64_t i = 0; i + 8 <= n; i += 8)                                         \
            for (int chain = 0; chain < 8; chain++)                                     \
                chains[chain] += (double)values[i + chain] * (double)values[i + chain]; \
        for (int64_t i = n - n % 8; i < n; i++)                                         \
            chains[i % 8] += (double)values[i] * (double)values[i];                     \
        for (int64_t i = 0; grad && i < n; i++)                                         \
            grad[i] += scale * values[i];                                               \
    } while (0)

static void add_chunk(void *context, int64_t chunk, int thread)
{
    const l2_job *job = (const l2_job *)context;
    const int64_t begin = chunk * CHUNK_VALUES, n = min_i64(CHUNK_VALUES, job->n - begin);
    double chains[8] = {0};
    (void)thread;
    if (job->real == FASTFM_F32)
        ADD_CHUNK(float);
    else
        ADD_CHUNK(double);
    job->chunk_sums[chunk] = ((chains[0] + chains[4]) + (chains[2] + chains[6])) +
                             ((chains[1] + chains[5]) + (chains[3] + chains[7]));
}

fastfm_status fastfm_l2(const void *values, fastfm_type real, int64_t n, double scale, void *grad,
                        int num_threads, double *sum_of_squares)
{
    const int64_t n_chunks = (n + CHUNK_VALUES - 1) / CHUNK_VALUES;
    double *chunk_sums = (double *)malloc(sizeof(double) * (size_t)max_i64(n_chunks, 1));
    l2_job job = {values, real, n, scale, grad, chunk_sums};
    *sum_of_squares = 0;
    if (!chunk_sums)
        return FASTFM_NO_MEMORY;
    parallel_for(n_chunks, add_chunk, &job, parallel_threads(num_threads, (double)n));
    for (int64_t chunk = 0; chunk < n_chunks; chunk++)
        *sum_of_squares += chunk_sums[chunk];
    free(chunk_sums);
    return FASTFM_OK;
}
