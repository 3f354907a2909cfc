/* Threads. parallel.c is the only file that knows OpenMP; without it everything runs on one.
 *
 * Words:
 *   block   a piece of work that one thread does alone: rows, or a partition of the features
 *   phase   blocks that may be done in any order and at the same time. The next phase begins when
 *           all of them are done
 *   thread  a number in [0, n_threads); no two blocks run with the same number at the same time, so
 *           a body may use memory that it finds by that number */
#ifndef FASTFM_PARALLEL_H
#define FASTFM_PARALLEL_H

#include "base/common.h"

/* How many threads to use: at most num_threads, and one more for each 300,000 multiply-adds of `work`,
 * because less work costs less than waking a thread. It is 1 in a forked child and inside a parallel
 * region of OpenMP. The number decides who computes, never what is computed. */
int parallel_threads(int num_threads, double work);

/* How many forks made this process, since its ancestor loaded the library; 0 where the system has none. */
int64_t forks_before(void);

/* One phase: calls body(context, block, thread) once for each block in [0, n_blocks), and returns
 * when all have returned. Blocks are handed out in ascending order. n_blocks may be 0. */
typedef void (*parallel_block)(void *context, int64_t block, int thread);
void parallel_for(int64_t n_blocks, parallel_block body, void *context, int n_threads);

/* Phase after phase. `next` sets *body and *n_blocks, which is from 1 to INT32_MAX, and returns 1; or
 * it returns 0, and there are no more phases. One thread calls it, when all blocks of the last phase
 * are done, and what it writes is seen by all threads in the next phase: so it may read results,
 * allocate, and choose what comes next.
 *
 * There are no barriers, and nobody waits for a thread, but only for blocks that one has taken. A thread
 * that the system has descheduled takes no blocks, and so delays nobody, except when it was in the
 * middle of one. Where another call has the threads, or there are none, the caller runs all blocks. */
typedef int (*next_phase_fn)(void *context, parallel_block *body, int64_t *n_blocks);
void parallel_phases(next_phase_fn next, void *context, int n_threads);

#endif
