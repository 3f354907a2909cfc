/* fastfm_dot and fastfm_step: the short walks over vectors of a line search. */
#include <stdlib.h>

#include "solvers/vectors.h"

typedef struct {
    const void *a, *b;
    fastfm_type real;
    int64_t n;
    double *sums; /* (n_chunks,) */
} dot_job;

typedef struct {
    const void *x, *d;
    void *out;
    fastfm_type real;
    int64_t n;
    double length;
} step_job;

static void dot_chunk(void *context, int64_t chunk, int thread)
{
    const dot_job *job = (const dot_job *)context;
    const int64_t end = min_i64((chunk + 1) * CHUNK, job->n);
    double a_room[PIECE], b_room[PIECE];
    (void)thread;
    for (int64_t begin = chunk * CHUNK; begin < end; begin += PIECE) {
        const int64_t n = min_i64(PIECE, end - begin);
        job->sums[chunk] += piece_product(read_piece(job->a, job->real, begin, n, a_room),
                                          read_piece(job->b, job->real, begin, n, b_room), n);
    }
}

fastfm_status fastfm_dot(const void *a, const void *b, fastfm_type real, int64_t n, int num_threads,
                         double *product)
{
    const int64_t n_chunks = chunks_of(n);
    double *sums = (double *)calloc((size_t)max_i64(n_chunks, 1), sizeof(double));
    dot_job job = {a, b, real, n, sums};
    *product = 0;
    if (!sums)
        return FASTFM_NO_MEMORY;
    parallel_for(n_chunks, dot_chunk, &job, parallel_threads(num_threads, (double)n));
    for (int64_t chunk = 0; chunk < n_chunks; chunk++)
        *product += sums[chunk];
    free(sums);
    return FASTFM_OK;
}

static void step_chunk(void *context, int64_t chunk, int thread)
{
    const step_job *job = (const step_job *)context;
    const int64_t end = min_i64((chunk + 1) * CHUNK, job->n);
    double room[PIECE];
    (void)thread;
    for (int64_t begin = chunk * CHUNK; begin < end; begin += PIECE) {
        const int64_t n = min_i64(PIECE, end - begin);
        const double *x = read_piece(job->x, job->real, begin, n, room);
        memmove(room, x, sizeof(double) * (size_t)n);
        add_scaled(room, job->length, job->d, job->real, begin, n);
        write_piece(job->out, job->real, begin, n, room);
    }
}

void fastfm_step(const void *x, double length, const void *d, fastfm_type real, int64_t n,
                 int num_threads, void *out)
{
    step_job job = {x, d, out, real, n, length};
    parallel_for(chunks_of(n), step_chunk, &job, parallel_threads(num_threads, (double)n));
}
