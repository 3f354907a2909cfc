/* The team: the threads that all calls of this process share.
 *
 * Words:
 *   job     what one call gives to the team: phases of blocks (parallel.h)
 *   member  a thread of the team, by its number. Member 0 is the caller whose job it is; the others are
 *           helpers, threads of the library's own
 *   helper  sleeps between jobs; it is never waited for, except while it runs a block */
#ifndef FASTFM_TEAM_H
#define FASTFM_TEAM_H

#include "base/parallel.h"
#include "base/thread.h"

#define MOST_MEMBERS 1024

/* Starts the thread of a member, as thread_start does. */
typedef int (*member_starter)(thread_main main, void *context, int member);

/* Runs the phases with at most n_threads threads, or returns 0 at once: another caller has the team, or
 * there is no helper and the system starts none. Helpers that are missing are started. */
int team_run(next_phase_fn next, void *context, int n_threads, member_starter start);

#endif
