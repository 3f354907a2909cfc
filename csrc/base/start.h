/* Whether the system lets this process start threads. OpenMP's runtimes end the process when a thread
 * cannot be started, because of a limit of the user, the container or the address space. So it is
 * tried before they are asked. */
#ifndef FASTFM_START_H
#define FASTFM_START_H

#include "base/common.h"

/* The size in bytes of the stacks that the runtime gives to its threads; 0: the system's own. */
void set_stack_size(int64_t bytes);

/* How many threads, the calling one included, a parallel region of n_threads threads can have now:
 * from 1 to n_threads. It is n_threads without a trial where the calling thread's last region had
 * as many, because the runtime keeps them for its next one. */
int startable_threads(int n_threads);

/* To be called by the same thread at the beginning of that region, if it has more than one thread. */
void threads_have_started(int n_threads);

#endif
