#include "base/parallel.h"

#include <string.h>

#include "base/atomic.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

/* Below this many multiply-adds a second thread does not pay: waking it cost 106 us where the row
 * took 4. */
#define SERIAL_WORK 3e5

/* GNU OpenMP hangs in the child of a process that has run a parallel region, ours or anybody's. */
static int is_forked_child = 0;

#if !defined(_WIN32)
static void after_fork_in_child(void) { is_forked_child = 1; }
#endif

void fastfm_init_threads(void)
{
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
    /* The runtime ends the process when it cannot start a thread: never ask for absurdly many. */
    num_threads = (int)min_i64(num_threads, max_i64(64, 4 * (int64_t)omp_get_num_procs()));
    return (int)min_i64(num_threads, 1 + (int64_t)(work / SERIAL_WORK));
#else
    return 1;
#endif
}

#ifdef _OPENMP
#define SPINS 2000 /* some 50 us, before a waiting thread offers its processor to others */

/* The present phase: its number in the upper half, the blocks nobody has taken yet in the lower. */
typedef struct {
    atomic_i64 open_blocks;
    char line1[CACHE_LINE];
    atomic_i64 unfinished;
    char line2[CACHE_LINE];
    atomic_i64 has_ended;
    int64_t n_blocks;
    parallel_block body;
} phase_board;

/* For the thread that finished the last block: nobody else reads or writes the board now. */
static void next_phase(phase_board *board, parallel_step step, void *context, int64_t phase)
{
    board->n_blocks = 0;
    board->body = NULL;
    if (!step(context, &board->body, &board->n_blocks)) {
        atomic_store_i64(&board->has_ended, 1);
        return;
    }
    atomic_store_i64(&board->unfinished, board->n_blocks);
    atomic_store_i64(&board->open_blocks, (phase + 1) << 32 | board->n_blocks);
}

static void work_on(phase_board *board, parallel_step step, void *context, int thread)
{
    for (int64_t spins = 0; !atomic_load_i64(&board->has_ended);) {
        int64_t open = atomic_load_i64(&board->open_blocks);
        if ((open & INT32_MAX) == 0) {
            if (++spins > SPINS)
                atomic_yield();
            else
                atomic_pause();
            continue;
        }
        if (!atomic_replace_i64(&board->open_blocks, open, open - 1))
            continue;
        spins = 0;
        board->body(context, board->n_blocks - (open & INT32_MAX), thread);
        if (atomic_decrement_i64(&board->unfinished) == 0)
            next_phase(board, step, context, open >> 32);
    }
}
#endif

#ifdef _OPENMP
/* MinGW's exp and log1p compute in the x87 unit, and its threads start with another precision there than
 * Python's: the bits of a loss would depend on the thread. */
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

void parallel_phases(parallel_step step, void *context, int n_threads)
{
    if (n_threads <= 1) { /* never enters the runtime */
        parallel_block body;
        int64_t n_blocks;
        while (step(context, &body, &n_blocks))
            for (int64_t block = 0; block < n_blocks; block++)
                body(context, block, 0);
        return;
    }
#ifdef _OPENMP
    phase_board board;
    memset(&board, 0, sizeof board);
    next_phase(&board, step, context, 0);
    const unsigned short precision = x87_control();
#pragma omp parallel num_threads(n_threads)
    {
        set_x87_control(precision);
        work_on(&board, step, context, omp_get_thread_num());
    }
#endif
}

typedef struct {
    parallel_block body;
    void *context;
    int64_t n_blocks;
} one_phase;

static void run_block(void *context, int64_t block, int thread)
{
    const one_phase *phase = (const one_phase *)context;
    phase->body(phase->context, block, thread);
}

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
