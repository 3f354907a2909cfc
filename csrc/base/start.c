/* A trial of threads: as many as a parallel region will need are started, all at the same time, and end
 * again. Two callers at once would find the same room, so a lock is held from a trial until the
 * runtime has started its threads. */
#include "base/start.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

#if defined(_WIN32) /* has no such limits, except on memory */
void set_stack_size(int64_t bytes) { (void)bytes; }
int startable_threads(int n_threads) { return n_threads; }
void threads_have_started(int n_threads) { (void)n_threads; }
#else

/* One thread more than needed is tried. It makes up for the last thread of the trial, which counts
 * until the system has removed it, and for the memory that the runtime itself takes. */
#define SPARE 1

static int64_t stack_size = 0; /* set once, at the time of loading */

/* Threads of the calling thread's last region. GNU's runtime ends those that the next one does not
 * need. If another library has shared the runtime, and asked it for fewer, this is too many; then
 * only a process that meets its limit at that moment is not saved. */
static _Thread_local int n_kept = 1;

/* The lock, and whether the calling thread holds it. */
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int is_starting = 0;

/* How many threads are wanted, and how many have been started so far. */
typedef struct {
    pthread_attr_t attributes;
    int wanted, started;
} trial;

/* A thread of the trial starts the next one, so that all of them are there at the same time. It
 * writes before it starts another and after that one's end, so there is no race. */
static void *start_next(void *context)
{
    trial *t = (trial *)context;
    pthread_t next;
    t->started++;
    if (t->started < t->wanted && pthread_create(&next, &t->attributes, start_next, t) == 0)
        pthread_join(next, NULL);
    return NULL;
}

/* How many of `wanted` threads can be started beside those that are there. */
static int try_threads(int wanted)
{
    trial t = {.wanted = wanted, .started = 0};
    pthread_t first;
    if (pthread_attr_init(&t.attributes) != 0)
        return 0;
    /* A size that the system refuses, the runtime cannot set either: it keeps the system's own. */
    if (stack_size > 0)
        pthread_attr_setstacksize(&t.attributes, (size_t)stack_size);
    if (pthread_create(&first, &t.attributes, start_next, &t) == 0)
        pthread_join(first, NULL);
    pthread_attr_destroy(&t.attributes);
    return t.started;
}

void set_stack_size(int64_t bytes) { stack_size = bytes; }

int startable_threads(int n_threads)
{
    if (n_threads <= n_kept)
        return n_threads;
    pthread_mutex_lock(&starting);
    const int started = try_threads(n_threads - n_kept + SPARE);
    n_threads = n_kept + (started > SPARE ? started - SPARE : 0);
    is_starting = n_threads > 1;
    if (!is_starting)
        pthread_mutex_unlock(&starting);
    return n_threads;
}

void threads_have_started(int n_threads)
{
    n_kept = n_threads;
    if (is_starting)
        pthread_mutex_unlock(&starting);
    is_starting = 0;
}

#endif
