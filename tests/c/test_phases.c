/* parallel.h itself: each block of each phase runs once, and a phase begins when the last one has
 * ended.
 *
 * With -DFASTFM_RACE the blocks share one counter without any lock. tools/platforms.py runs that
 * variant under ThreadSanitizer, which must report race_block: it proves that the sanitizer sees
 * what our threads do, and so that its silence about everything else means something. */
#include <stdlib.h>

#include "base/parallel.h"
#include "tests.h"

enum { N_BLOCKS = 5000, N_PHASES = 3 };

typedef struct {
    int64_t *n_runs; /* (N_BLOCKS,): how often each block has run */
    int64_t shared;
    int phase, n_faults;
} blocks_job;

static void race_block(void *context, int64_t block, int thread)
{
    blocks_job *job = (blocks_job *)context;
    (void)thread;
#ifdef FASTFM_RACE
    job->shared += block;
#else
    job->n_runs[block]++;
#endif
}

/* The thread that ends a phase looks at all blocks of it: nobody runs one any more. */
static int next_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    blocks_job *job = (blocks_job *)context;
    for (int64_t block = 0; block < N_BLOCKS; block++)
        job->n_faults += job->n_runs[block] != job->phase;
    *body = race_block;
    *n_blocks = N_BLOCKS;
    return job->phase++ < N_PHASES;
}

void test_phases(void)
{
    const int most = fastfm_has_openmp() ? 3 : 1;
    for (int n_threads = 1; n_threads <= most; n_threads++) {
        blocks_job job = {.n_runs = (int64_t *)calloc(N_BLOCKS, sizeof(int64_t))};
        CASE("phases: %d threads", n_threads);
        parallel_phases(next_phase, &job, n_threads);
#ifndef FASTFM_RACE
        CHECK(job.phase == N_PHASES + 1 && job.n_faults == 0);
#endif
        free(job.n_runs);
        job.n_runs = (int64_t *)calloc(N_BLOCKS, sizeof(int64_t));
        parallel_for(N_BLOCKS, race_block, &job, n_threads);
        for (int64_t block = 0; block < N_BLOCKS; block++)
            job.n_faults += job.n_runs[block] != 1;
#ifndef FASTFM_RACE
        CHECK(job.n_faults == 0);
#endif
        free(job.n_runs);
    }
}
