/* The team and its queue.
 *
 * One caller at a time has the team. It puts the first phase of its job into the queue, and works
 * itself. Each member runs work_on_job, a loop that takes the next block:
 *
 *     queue   4 threads, 6 blocks, 4 of them open   0 1 | 2 3 4 5
 *                                                   taken | open
 *     member 0   the caller: runs block 0
 *     member 1   runs block 1, then takes 2
 *     member 2   has not woken yet: it takes nothing, and nobody waits for it
 *
 * A member that finishes a block decrements `unfinished`. The one that brings it to 0 has finished the
 * last block of the phase: no other has work, so it alone calls the job's next_phase_fn, and puts the
 * next phase into the queue, or ends the job.
 *
 * A helper may look at the queue at any time, also when the job that woke it has ended. So it looks at
 * nothing but open_blocks, and only a member that has taken a block reads the rest: the job cannot end
 * before that block has been finished. Who takes the block of another phase or job than the one it
 * looked at before, because both words were the same, has taken a block like any other. */
#include "base/team.h"

#include <fenv.h>

#define SPINS 2000      /* some 50 us, before a waiting thread offers its processor to others */
#define IDLE_SPINS 2000 /* before a helper without a job sleeps: a next call may come at once */

typedef struct {
    gate gate; /* where a helper sleeps */
    int number;
    int64_t job; /* the last one of which it has taken a block */
    char line[CACHE_LINE];
} member;

/* Counters lie on cache lines of their own, because all members write them.
 *
 * open_blocks holds two numbers, so that one compare-and-swap checks both: how many threads the job
 * has, in the upper 32 bits, and in the lower the blocks that nobody has taken yet. It is 0 if there
 * is no job. Members with a number below that of the threads belong to the job. */
static struct {
    atomic_i64 is_taken; /* by a caller */
    char line0[CACHE_LINE];
    atomic_i64 open_blocks;
    char line1[CACHE_LINE];
    atomic_i64 unfinished; /* blocks that have not returned, taken or not */
    char line2[CACHE_LINE];
    int64_t n_blocks;    /* of the phase */
    parallel_block body; /* likewise */
    int64_t job;         /* its number, from 1; and what belongs to it: */
    next_phase_fn next;
    void *context;
    fenv_t environment; /* of the caller */
    int n_members;      /* that have been started; the caller counts */
    member members[MOST_MEMBERS];
} team = {.n_members = 1};

/* Puts the next phase into the queue, or ends the job; the last thing that touches it. No other member
 * reads or writes the queue at that time, except open_blocks, which has no open block. */
static void start_next_phase(int64_t n_threads)
{
    team.n_blocks = 0;
    team.body = NULL;
    if (!team.next(team.context, &team.body, &team.n_blocks)) {
        atomic_store_i64(&team.open_blocks, 0);
        return;
    }
    atomic_store_i64(&team.unfinished, team.n_blocks);
    atomic_store_i64(&team.open_blocks, n_threads << 32 | team.n_blocks);
}

/* Wakes two more. All of them together would take the caller as long as some blocks. */
static void wake_next(const member *me, int64_t n_threads)
{
    const int64_t first = 2 * (int64_t)me->number + 1;
    for (int64_t i = first; i < min_i64(first + 2, n_threads); i++)
        gate_open(&team.members[i].gate);
}

/* Once in a job, when a member has its first block. Floating-point settings are those of the caller,
 * because the bits depend on them: numbers close to 0 may be flushed to it, and MinGW's exp and log1p
 * compute in the x87 unit, whose precision differs between threads. */
static void join_job(member *me, int64_t n_threads)
{
    me->job = team.job;
    if (me->number > 0)
        fesetenv(&team.environment);
    wake_next(me, n_threads);
}

static int has_job(const member *me)
{
    return atomic_load_i64(&team.open_blocks) >> 32 > me->number;
}

/* Takes a block and runs it. Returns 0 if there is none. */
static int run_next_block(member *me)
{
    const int64_t word = atomic_load_i64(&team.open_blocks);
    const int64_t n_threads = word >> 32, open = word & INT32_MAX;
    if (n_threads <= me->number || open == 0)
        return 0;
    if (!atomic_replace_i64(&team.open_blocks, word, word - 1))
        return 1; /* another member has taken this block */
    if (me->job != team.job)
        join_job(me, n_threads);
    team.body(team.context, team.n_blocks - open, me->number);
    if (atomic_decrement_i64(&team.unfinished) == 0)
        start_next_phase(n_threads);
    return 1;
}

static void wait_a_moment(int64_t spins)
{
    if (spins > SPINS)
        atomic_yield();
    else
        atomic_pause();
}

/* What each member does until the job has ended. */
static void work_on_job(member *me)
{
    for (int64_t spins = 0; has_job(me);)
        if (run_next_block(me))
            spins = 0;
        else
            wait_a_moment(++spins);
}

/* Between jobs. The gate is closed before the last look at the queue, and a caller fills the queue before
 * it opens gates: so either the helper sees the job, or the caller sees the closed gate. */
static void wait_for_job(member *me)
{
    for (int64_t spins = 1; !has_job(me); spins++)
        if (spins <= IDLE_SPINS) {
            atomic_pause();
        } else {
            gate_close(&me->gate);
            if (has_job(me))
                gate_open(&me->gate);
            gate_wait(&me->gate);
            spins = 0;
        }
}

static THREAD_MAIN(help)
{
    member *me = (member *)context;
    for (;;) {
        wait_for_job(me);
        work_on_job(me);
    }
    return 0; /* never: gcc wants it */
}

/* Starts helpers until the team has n_threads members, or the system starts no more. */
static void grow(int n_threads, member_starter start)
{
    for (; team.n_members < n_threads; team.n_members++) {
        member *next = &team.members[team.n_members];
        next->number = team.n_members;
        if (!gate_init(&next->gate))
            return;
        if (!start(help, next, next->number)) {
            gate_free(&next->gate);
            return;
        }
    }
}

int team_run(next_phase_fn next, void *context, int n_threads, member_starter start)
{
    member *caller = &team.members[0];
    if (!atomic_replace_i64(&team.is_taken, 0, 1))
        return 0;
    grow((int)min_i64(n_threads, MOST_MEMBERS), start);
    n_threads = (int)min_i64(n_threads, team.n_members);
    if (n_threads > 1) {
        team.job++;
        team.next = next;
        team.context = context;
        fegetenv(&team.environment);
        start_next_phase(n_threads);
        work_on_job(caller);
    }
    atomic_store_i64(&team.is_taken, 0);
    return n_threads > 1;
}
