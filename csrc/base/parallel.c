/* How many threads a call uses, and who runs its phases: the team (team.h), or the caller alone.
 *
 * The team's threads are the library's own. OpenMP says how many there should be and on which
 * processors, and whether the caller is one of many already; its parallel regions are not used, because
 * the end of a region waits for every thread of it, also for one that the system does not run now.
 *
 * parallel_for is the same machine with one phase. The way of its caller to a block:
 *
 *     parallel_for -> parallel_phases -> team_run -> work_on_job -> run_next_block -> run_block -> body
 *
 * where only_phase is its next_phase_fn. A caller alone has no queue: parallel_phases calls the bodies
 * itself. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_setaffinity */
#endif

#include "base/parallel.h"

#include "base/team.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

/* Below this many multiply-adds a second thread does not pay: waking it cost 106 us where the row
 * took 4. */
#define SERIAL_WORK 3e5

/* -------------------------------------------------------------------------------- how many threads
 *
 * A child of fork() does not have the team's threads. It could start others, but children are mostly
 * workers, one for each processor. So the child remembers that it is one, and stays on one thread. */
static int64_t n_forks = 0;

#if !defined(_WIN32)
static void after_fork_in_child(void) { n_forks++; }
#endif

int64_t forks_before(void) { return n_forks; }

static int64_t stack_size = 0; /* of threads that are started; set once, at the time of loading */

/* Where OMP_PROC_BIND or OMP_PLACES bind threads, OpenMP has bound the one that loaded the library to its
 * first place, and what it starts inherits that. So the caller moves to the place of a member before it
 * starts it, and back. The member itself calls nothing of OpenMP: LLVM's would count it among its own
 * threads, and miss it at the end of the process. */
#if defined(__linux__) && defined(_OPENMP) && _OPENMP >= 201511
static int is_bound(void)
{
    return omp_get_proc_bind() != omp_proc_bind_false && omp_get_num_places() > 0;
}

static void move_to_place(int place)
{
    int processors[CPU_SETSIZE];
    cpu_set_t set;
    const int n = omp_get_place_num_procs(place);
    if (n > CPU_SETSIZE)
        return;
    omp_get_place_proc_ids(place, processors);
    CPU_ZERO(&set);
    for (int i = 0; i < n; i++)
        if (processors[i] >= 0 && processors[i] < CPU_SETSIZE)
            CPU_SET((size_t)processors[i], &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int start_member(thread_main main, void *context, int member)
{
    cpu_set_t own;
    if (!is_bound() || sched_getaffinity(0, sizeof own, &own) != 0)
        return thread_start(main, context, stack_size);
    move_to_place(member % omp_get_num_places());
    const int is_started = thread_start(main, context, stack_size);
    sched_setaffinity(0, sizeof own, &own);
    return is_started;
}
#elif defined(_OPENMP)
static int start_member(thread_main main, void *context, int member)
{
    (void)member;
    return thread_start(main, context, stack_size);
}
#endif

void fastfm_init_threads(int64_t bytes)
{
    stack_size = bytes;
#if !defined(_WIN32)
    static int installed = 0;
    if (!installed)
        installed = pthread_atfork(NULL, NULL, after_fork_in_child) == 0;
#endif
}

int fastfm_has_openmp(void)
{
#ifdef _OPENMP
    return _OPENMP;
#else
    return 0;
#endif
}

int fastfm_max_threads(void)
{
#ifdef _OPENMP
    return n_forks ? 1 : omp_get_max_threads();
#else
    return 1;
#endif
}

int parallel_threads(int num_threads, double work)
{
    if (num_threads <= 1 || work < SERIAL_WORK || n_forks)
        return 1;
#ifdef _OPENMP
    if (omp_in_parallel())
        return 1;
    /* More threads than this are a mistake: they only share the same processors. */
    num_threads = (int)min_i64(num_threads, max_i64(64, 4 * (int64_t)omp_get_num_procs()));
#if _OPENMP >= 200805
    num_threads = (int)min_i64(num_threads, omp_get_thread_limit());
#endif
    return (int)min_i64(num_threads, 1 + (int64_t)(work / SERIAL_WORK));
#else
    return 1;
#endif
}

/* ---------------------------------------------------------------------------------- phases, a loop */

void parallel_phases(next_phase_fn next, void *context, int n_threads)
{
    parallel_block body;
    int64_t n_blocks;
#ifdef _OPENMP
    if (n_threads > 1 && team_run(next, context, n_threads, start_member))
        return;
#else
    (void)n_threads;
#endif
    while (next(context, &body, &n_blocks))
        for (int64_t block = 0; block < n_blocks; block++)
            body(context, block, 0);
}

/* The context of parallel_for's only phase: the caller's body and context. */
typedef struct {
    parallel_block body;
    void *context;
    int64_t n_blocks; /* 0 once the phase has been started */
} one_phase;

static void run_block(void *context, int64_t block, int thread)
{
    const one_phase *phase = (const one_phase *)context;
    phase->body(phase->context, block, thread);
}

/* The next_phase_fn of parallel_for: gives the phase once, unless it has no blocks. */
static int only_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    one_phase *phase = (one_phase *)context;
    *body = run_block;
    *n_blocks = phase->n_blocks;
    phase->n_blocks = 0;
    return *n_blocks > 0;
}

void parallel_for(int64_t n_blocks, parallel_block body, void *context, int n_threads)
{
    one_phase phase = {body, context, n_blocks};
    parallel_phases(only_phase, &phase, (int)min_i64(n_threads, n_blocks));
}
