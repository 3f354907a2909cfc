/* thread.h by the functions of POSIX, or of Windows. */
#if !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L /* pthread_sigmask, which plain C11 hides */
#endif

#include "base/thread.h"

#if defined(_WIN32)
#include <process.h>
#else
#include <signal.h>
#endif

void gate_close(gate *g) { atomic_store_i64(&g->is_closed, 1); }

#if defined(_WIN32)

int thread_start(thread_main main, void *context, int64_t stack_size)
{
    const uintptr_t thread = _beginthreadex(NULL, 0, main, context, 0, NULL);
    (void)stack_size;
    if (thread != 0)
        CloseHandle((HANDLE)thread); /* the thread goes on */
    return thread != 0;
}

int gate_init(gate *g)
{
    g->is_closed = 0;
    InitializeSRWLock(&g->lock);
    InitializeConditionVariable(&g->opened);
    return 1;
}

void gate_free(gate *g) { (void)g; }

void gate_wait(gate *g)
{
    AcquireSRWLockExclusive(&g->lock);
    while (atomic_load_i64(&g->is_closed))
        SleepConditionVariableSRW(&g->opened, &g->lock, INFINITE, 0);
    ReleaseSRWLockExclusive(&g->lock);
}

void gate_open(gate *g)
{
    if (!atomic_load_i64(&g->is_closed))
        return;
    AcquireSRWLockExclusive(&g->lock);
    atomic_store_i64(&g->is_closed, 0);
    ReleaseSRWLockExclusive(&g->lock);
    WakeConditionVariable(&g->opened);
}

#else

/* All signals but those that a thread causes itself: a handler, such as Python's faulthandler, sees a
 * fault only where it happens. */
static void choose_signals(sigset_t *blocked)
{
    sigfillset(blocked);
    sigdelset(blocked, SIGSEGV);
    sigdelset(blocked, SIGBUS);
    sigdelset(blocked, SIGFPE);
    sigdelset(blocked, SIGILL);
    sigdelset(blocked, SIGABRT);
}

int thread_start(thread_main main, void *context, int64_t stack_size)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t blocked, before;
    if (pthread_attr_init(&attributes) != 0)
        return 0;
    if (stack_size > 0)
        pthread_attr_setstacksize(&attributes, (size_t)stack_size);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    choose_signals(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked,
                    &before); /* a thread inherits the mask of who starts it */
    const int failed = pthread_create(&thread, &attributes, main, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}

int gate_init(gate *g)
{
    g->is_closed = 0;
    if (pthread_mutex_init(&g->lock, NULL) != 0)
        return 0;
    if (pthread_cond_init(&g->opened, NULL) == 0)
        return 1;
    pthread_mutex_destroy(&g->lock);
    return 0;
}

void gate_free(gate *g)
{
    pthread_cond_destroy(&g->opened);
    pthread_mutex_destroy(&g->lock);
}

void gate_wait(gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (atomic_load_i64(&g->is_closed))
        pthread_cond_wait(&g->opened, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

void gate_open(gate *g)
{
    if (!atomic_load_i64(&g->is_closed))
        return;
    pthread_mutex_lock(&g->lock);
    atomic_store_i64(&g->is_closed, 0);
    pthread_mutex_unlock(&g->lock);
    pthread_cond_signal(&g->opened);
}

#endif
