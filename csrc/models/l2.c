/* Passes over whole parameter arrays. */
#include <stdlib.h>

#include "base/parallel.h"

/* Values that a thread takes at a time; fixed, so that the order of sums is fixed. */
#define PART 65536

typedef struct {
    const void *values;
    fastfm_type real;
    int64_t n;
    double scale;
    void *grad;
    double *parts;
} l2_job;

/* Eight chains of additions, because one alone waits for its last addition. */
#define L2_PART(real_type)                                                          \
    do {                                                                            \
        const real_type *values = (const real_type *)job->values + begin;           \
        real_type *grad = job->grad ? (real_type *)job->grad + begin : NULL;        \
        const real_type scale = (real_type)job->scale;                              \
        for (int64_t i = 0; i + 8 <= n; i += 8)                                     \
            for (int lane = 0; lane < 8; lane++)                                    \
                lanes[lane] += (double)values[i + lane] * (double)values[i + lane]; \
        for (int64_t i = n - n % 8; i < n; i++)                                     \
            lanes[i % 8] += (double)values[i] * (double)values[i];                  \
        for (int64_t i = 0; grad && i < n; i++)                                     \
            grad[i] += scale * values[i];                                           \
    } while (0)

static void l2_part(void *context, int64_t part, int thread)
{
    const l2_job *job = (const l2_job *)context;
    const int64_t begin = part * PART, n = min_i64(PART, job->n - begin);
    double lanes[8] = {0};
    (void)thread;
    if (job->real == FASTFM_F32)
        L2_PART(float);
    else
        L2_PART(double);
    job->parts[part] = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                       ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

fastfm_status fastfm_l2(const void *values, fastfm_type real, int64_t n, double scale, void *grad,
                        int num_threads, double *sum_of_squares)
{
    const int64_t n_parts = (n + PART - 1) / PART;
    double *parts = (double *)malloc(sizeof(double) * (size_t)max_i64(n_parts, 1));
    l2_job job = {values, real, n, scale, grad, parts};
    *sum_of_squares = 0;
    if (!parts)
        return FASTFM_NO_MEMORY;
    parallel_for(n_parts, l2_part, &job, parallel_threads(num_threads, (double)n));
    for (int64_t part = 0; part < n_parts; part++)
        *sum_of_squares += parts[part];
    free(parts);
    return FASTFM_OK;
}
