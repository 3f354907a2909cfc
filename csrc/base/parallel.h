/* Threads. parallel.c is the only file that knows OpenMP; without it everything runs serially. */
#ifndef FASTFM_PARALLEL_H
#define FASTFM_PARALLEL_H

#include "base/common.h"

/* Threads to use for some work, given in multiply-adds: 1 where starting them costs more than it
 * saves, in a forked child, and inside another parallel region. */
int parallel_threads(int num_threads, double work);

/* body(context, block, thread) for each block in [0, n_blocks), handed out one by one. */
typedef void (*parallel_block)(void *context, int64_t block, int thread);
void parallel_for(int64_t n_blocks, parallel_block body, void *context, int n_threads);

/* Phase after phase of blocks: step(context, &body, &n_blocks) sets the next phase, of at least one
 * block, or returns 0 at the end. It is called by one thread, when all blocks of the last phase are
 * done. No thread waits for another that has taken no block: one that the system does not run,
 * which holds up each barrier by its time slice, takes no part. */
typedef int (*parallel_step)(void *context, parallel_block *body, int64_t *n_blocks);
void parallel_phases(parallel_step step, void *context, int n_threads);

#endif
