/* Threads of the system, and gates. POSIX and Windows have both, under other names.
 *
 * Words:
 *   gate   where one thread sleeps while it is closed. That thread alone closes it; any thread may open
 *          it. A gate that is all zeros is open */
#ifndef FASTFM_THREAD_H
#define FASTFM_THREAD_H

#include "base/atomic.h"

/* The main function of a thread: its type, and the head of its definition. */
#if defined(_WIN32)
typedef unsigned(__stdcall *thread_main)(void *context);
#define THREAD_MAIN(name) unsigned __stdcall name(void *context)
#else
#include <pthread.h>
typedef void *(*thread_main)(void *context);
#define THREAD_MAIN(name) void *name(void *context)
#endif

/* Starts a thread that runs main(context). Returns whether the system has started it. It does not keep
 * the process alive, and handles no signals except those of its own faults.
 *   stack_size  bytes of its stack, on POSIX; 0: the system's own, also where it refuses the size */
int thread_start(thread_main main, void *context, int64_t stack_size);

typedef struct {
    atomic_i64 is_closed;
#if defined(_WIN32)
    SRWLOCK lock;
    CONDITION_VARIABLE opened;
#else
    pthread_mutex_t lock;
    pthread_cond_t opened;
#endif
} gate;

/* Before its first use; returns whether there is memory for it. And after its last. */
int gate_init(gate *g);
void gate_free(gate *g);

/* Closes; sleeps while it is closed; opens. Who opens an open gate does not call the system. */
void gate_close(gate *g);
void gate_wait(gate *g);
void gate_open(gate *g);

#endif
