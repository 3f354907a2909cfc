/* parallel.h itself: each block of each phase runs once, and a phase begins when the last one has
 * ended. Threads have numbers of their own and the caller's floating-point settings; a call inside a
 * block, which finds the team taken, and calls that follow each other at once are done like others.
 *
 * With -DFASTFM_RACE three threads that have met change one number without any lock. tools/platforms.py
 * runs that variant under ThreadSanitizer, which must report the function `meet`: it proves that the
 * sanitizer sees what our threads do, and so that its silence about everything else means something. */
#include <fenv.h>
#include <stdlib.h>
#include <time.h>

#include "base/atomic.h"
#include "base/parallel.h"
#include "tests.h"

enum { N_BLOCKS = 5000, N_PHASES = 3 };

typedef struct {
    int64_t *n_runs; /* (N_BLOCKS,): how often each block has run */
    int phase, n_faults;
} blocks_job;

static void count_block(void *context, int64_t block, int thread)
{
    blocks_job *job = (blocks_job *)context;
    (void)thread;
    job->n_runs[block]++;
}

/* The thread that ends a phase looks at all blocks of it: nobody runs one any more. */
static int next_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    blocks_job *job = (blocks_job *)context;
    for (int64_t block = 0; block < N_BLOCKS; block++)
        job->n_faults += job->n_runs[block] != job->phase;
    *body = count_block;
    *n_blocks = N_BLOCKS;
    return job->phase++ < N_PHASES;
}

enum { N_TOGETHER = 3, MOST_SECONDS = 60 };

typedef struct {
    atomic_i64 n_absent; /* blocks that have not begun */
    int64_t n_runs[N_TOGETHER], rounding[N_TOGETHER], shared;
} meeting_job;

/* A block waits until all have begun, so each has another thread. */
static void meet(void *context, int64_t block, int thread)
{
    meeting_job *job = (meeting_job *)context;
    const time_t begin = time(NULL);
    job->n_runs[thread]++;
#ifdef FASTFM_RACE
    job->shared += block;
#else
    (void)block;
#endif
    job->rounding[thread] = fegetround();
    atomic_decrement_i64(&job->n_absent);
    while (atomic_load_i64(&job->n_absent) > 0 && time(NULL) - begin < MOST_SECONDS)
        atomic_yield();
}

/* Whether N_TOGETHER threads meet, and all of them round as this one does now. */
static int threads_meet(void)
{
    meeting_job job = {.n_absent = N_TOGETHER};
    int n_good = 0;
    parallel_for(N_TOGETHER, meet, &job, N_TOGETHER);
    for (int thread = 0; thread < N_TOGETHER; thread++)
        n_good += job.n_runs[thread] == 1 && job.rounding[thread] == fegetround();
    return n_good == N_TOGETHER;
}

static void test_meetings(void)
{
    const int modes[] = {FE_UPWARD, FE_TOWARDZERO, FE_TONEAREST}, before = fegetround();
    for (int i = 0; i < COUNT(modes); i++) {
        CASE("threads round as their caller: mode %d", i);
        CHECK(fesetround(modes[i]) == 0);
        CHECK(threads_meet());
        fesetround(before);
    }
}

enum { N_CALLS = 3000 };

/* Each of 1 to 5 blocks, in memory of a caller that has soon returned. */
static int call_once(int64_t n_blocks)
{
    int64_t n_runs[5] = {0}, n_good = 0;
    blocks_job job = {.n_runs = n_runs};
    parallel_for(n_blocks, count_block, &job, 1 + (int)(n_blocks % N_TOGETHER));
    for (int64_t block = 0; block < 5; block++)
        n_good += n_runs[block] == (block < n_blocks);
    return n_good == 5;
}

static void call_inside(void *context, int64_t block, int thread)
{
    int64_t *n_good = (int64_t *)context;
    (void)thread;
    n_good[block] = call_once(1 + block % 5);
}

static void test_calls(void)
{
    int64_t n_good = 0, inside[20] = {0};
    CASE("%d calls, one after the other", N_CALLS);
    for (int64_t call = 0; call < N_CALLS; call++)
        n_good += call_once(1 + call % 5);
    CHECK(n_good == N_CALLS);
    CASE("calls inside blocks");
    parallel_for(COUNT(inside), call_inside, inside, N_TOGETHER);
    for (int64_t block = 0; block < COUNT(inside); block++)
        CHECK(inside[block] == 1);
}

void test_phases(void)
{
    const int most = fastfm_has_openmp() ? 3 : 1;
    for (int n_threads = 1; n_threads <= most; n_threads++) {
        blocks_job job = {.n_runs = (int64_t *)calloc(N_BLOCKS, sizeof(int64_t))};
        CASE("phases: %d threads", n_threads);
        parallel_phases(next_phase, &job, n_threads);
        CHECK(job.phase == N_PHASES + 1 && job.n_faults == 0);
        free(job.n_runs);
        job.n_runs = (int64_t *)calloc(N_BLOCKS, sizeof(int64_t));
        parallel_for(N_BLOCKS, count_block, &job, n_threads);
        for (int64_t block = 0; block < N_BLOCKS; block++)
            job.n_faults += job.n_runs[block] != 1;
        CHECK(job.n_faults == 0);
        free(job.n_runs);
    }
    test_calls();
    if (fastfm_has_openmp())
        test_meetings();
}
