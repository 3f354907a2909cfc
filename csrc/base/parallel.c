/* Phases of blocks, shared by threads without barriers.
 *
 * The threads share a queue. It holds one phase at a time: its body, and how many of its blocks
 * nobody has taken yet. Each thread runs work_on, a loop that takes the next block:
 *
 *     queue   phase 7, n_blocks 6, open 4         0 1 | 2 3 4 5
 *                                                 taken | open
 *     thread 0   runs block 0
 *     thread 1   runs block 1, then takes 2
 *     thread 2   is not running: it takes nothing, and nobody waits for it
 *
 *     A thread that finishes a block decrements `unfinished`. The one that brings it to 0 has
 *     finished the last block of the phase: no other thread has work, so it alone calls the
 *     caller's next_phase_fn, puts phase 8 into the queue, and goes on as all others do.
 *
 * parallel_for is the same machine with one phase. A block of it is five frames deep:
 *
 *     parallel_for -> parallel_phases -> work_on -> run_block -> body
 *
 * where only_phase is its next_phase_fn. With one thread there is no queue: parallel_phases calls
 * the bodies itself, and never enters the OpenMP runtime. */
#include "base/parallel.h"

#include <string.h>

#include "base/atomic.h"
#include "base/start.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

/* Below this many multiply-adds a second thread does not pay: waking it cost 106 us where the row
 * took 4. */
#define SERIAL_WORK 3e5

/* -------------------------------------------------------------------------------- how many threads
 *
 * GNU OpenMP hangs in the child of a process that has run a parallel region, ours or another
 * library's. So the child remembers that it is one, and stays on one thread. */
static int is_forked_child = 0;

#if !defined(_WIN32)
static void after_fork_in_child(void) { is_forked_child = 1; }
#endif

void fastfm_init_threads(int64_t stack_size)
{
    set_stack_size(stack_size);
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
    return is_forked_child ? 1 : omp_get_max_threads();
#else
    return 1;
#endif
}

int parallel_threads(int num_threads, double work)
{
    if (num_threads <= 1 || work < SERIAL_WORK || is_forked_child)
        return 1;
#ifdef _OPENMP
    if (omp_in_parallel())
        return 1;
    /* More threads than this are a mistake: they only share the same processors. */
    num_threads = (int)min_i64(num_threads, max_i64(64, 4 * (int64_t)omp_get_num_procs()));
    return (int)min_i64(num_threads, 1 + (int64_t)(work / SERIAL_WORK));
#else
    return 1;
#endif
}

/* ----------------------------------------------------------------------------------- the queue */

#ifdef _OPENMP
#define SPINS 2000 /* some 50 us, before a waiting thread offers its processor to others */

/* The present phase. Counters lie on cache lines of their own, because all threads write them.
 *
 * open_blocks holds two numbers, so that one compare-and-swap checks both: the number of the phase
 * in the upper 32 bits, and the blocks that nobody has taken yet in the lower. A thread that was
 * descheduled between reading and replacing it can therefore not take a block of a later phase with
 * what it knows of an earlier one. The number of the phase wraps around; to do harm, 2^32 phases
 * would have to pass within one such pause. */
typedef struct {
    atomic_i64 open_blocks;
    char line1[CACHE_LINE];
    atomic_i64 unfinished; /* blocks that have not returned, taken or not */
    char line2[CACHE_LINE];
    atomic_i64 has_ended; /* whether there are no more phases */
    int64_t n_blocks;     /* of the phase; written before open_blocks, which publishes it */
    parallel_block body;  /* likewise */
} phase_queue;

/* Puts the phase after number `phase` into the queue, or ends. Called before the threads start, and
 * then by the thread that has finished the last block of a phase: no other thread reads or writes
 * the queue at that time, except open_blocks, which has no open block, and has_ended. */
static void start_next_phase(phase_queue *queue, next_phase_fn next, void *context, int64_t phase)
{
    queue->n_blocks = 0;
    queue->body = NULL;
    if (!next(context, &queue->body, &queue->n_blocks)) {
        atomic_store_i64(&queue->has_ended, 1);
        return;
    }
    atomic_store_i64(&queue->unfinished, queue->n_blocks);
    atomic_store_i64(&queue->open_blocks, (int64_t)((uint64_t)(phase + 1) << 32) | queue->n_blocks);
}

/* What each thread does: takes blocks until there are no more phases. A thread that finds no open
 * block spins for a while, and then yields its processor each time. */
static void work_on(phase_queue *queue, next_phase_fn next, void *context, int thread)
{
    for (int64_t spins = 0; !atomic_load_i64(&queue->has_ended);) {
        int64_t open = atomic_load_i64(&queue->open_blocks);
        if ((open & INT32_MAX) == 0) {
            if (++spins > SPINS)
                atomic_yield();
            else
                atomic_pause();
            continue;
        }
        if (!atomic_replace_i64(&queue->open_blocks, open, open - 1))
            continue; /* another thread has taken this block */
        spins = 0;
        queue->body(context, queue->n_blocks - (open & INT32_MAX), thread);
        if (atomic_decrement_i64(&queue->unfinished) == 0)
            start_next_phase(queue, next, context, open >> 32);
    }
}
#endif

#ifdef _OPENMP
/* MinGW's exp and log1p compute in the x87 unit. Its threads start with another precision of that unit
 * than Python's, so the bits of a loss would depend on the thread. Each thread therefore takes over
 * the control word of the thread that called. Elsewhere these functions do nothing. */
static unsigned short x87_control(void)
{
    unsigned short control = 0;
#if defined(__MINGW32__) && defined(__x86_64__)
    __asm__ volatile("fnstcw %0" : "=m"(control));
#endif
    return control;
}

static void set_x87_control(unsigned short control)
{
#if defined(__MINGW32__) && defined(__x86_64__)
    __asm__ volatile("fldcw %0" : : "m"(control));
#else
    (void)control;
#endif
}
#endif

/* With one thread the phases are a plain loop: the OpenMP runtime is never entered, so that serial
 * programs start no threads and may fork. */
void parallel_phases(next_phase_fn next, void *context, int n_threads)
{
    n_threads = startable_threads(n_threads);
    if (n_threads <= 1) {
        parallel_block body;
        int64_t n_blocks;
        while (next(context, &body, &n_blocks))
            for (int64_t block = 0; block < n_blocks; block++)
                body(context, block, 0);
        return;
    }
#ifdef _OPENMP
    phase_queue queue;
    memset(&queue, 0, sizeof queue);
    start_next_phase(&queue, next, context, 0);
    const unsigned short precision = x87_control();
#pragma omp parallel num_threads(n_threads)
    {
        const int thread = omp_get_thread_num();
        if (thread == 0)
            threads_have_started(n_threads);
        set_x87_control(precision);
        work_on(&queue, next, context, thread);
    }
#endif
}

/* ------------------------------------------------------------------------- a loop is one phase */

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
    parallel_phases(only_phase, &phase, n_threads);
}
