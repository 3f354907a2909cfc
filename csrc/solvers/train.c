/* fastfm_train: stochastic solvers in batches, with the same bits for any number of threads.
 *
 * This file has what training adds to batch_run.h, which it shares with the gradient: the learning rate
 * of each batch, the update of w0, and the sum of losses. */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "models/score.h"
#include "solvers/batch_phases.h"
#include "solvers/batch_run.h"

/* Multiply-adds of training on a row for each one of scoring it: decides how many threads pay. */
#define FM_TRAIN_WORK 8.0
#define FFM_TRAIN_WORK 2.0

int fastfm_find_rule(const char *function)
{
#define FUNCTION(name, function, n_states, degree, per_row) #function,
    static const char *const names[] = {FASTFM_RULE_LIST(FUNCTION)};
#undef FUNCTION
    int rule = FASTFM_N_RULES - 1;
    while (rule >= 0 && strcmp(names[rule], function) != 0)
        rule--;
    return rule;
}

int fastfm_rule_n_states(fastfm_rule rule)
{
#define N_STATES(name, function, n_states, degree, per_row) n_states,
    static const int numbers[] = {FASTFM_RULE_LIST(N_STATES)};
#undef N_STATES
    return numbers[rule];
}

/* One call of fastfm_train: the context of its hooks. */
typedef struct {
    const fastfm_solver *solver; /* the caller's */
    fastfm_solver now;           /* a copy that kernels read, with the learning rate of the step */
    int64_t n_steps;             /* batches so far, over all calls */
    double total;                /* of losses, from *total on */
} training;

/* The hook before a batch. Adam corrects its means for their start at 0 (Kingma and Ba 2015, section 2, last
 * paragraph): at step t, from 1,
 *
 *     learning_rate_t = learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) */
static void set_learning_rate(batch_run *run)
{
    training *state = (training *)run->context;
    state->now = *state->solver;
    if (state->solver->rule == FASTFM_ADAM) {
        const double t = (double)state->n_steps + 1;
        state->now.learning_rate *=
            sqrt(1 - pow(state->solver->beta2, t)) / (1 - pow(state->solver->beta1, t));
    }
}

/* The hook after a batch: adds its losses in row order, and updates w0. */
static void end_step(batch_run *run)
{
    training *state = (training *)run->context;
    double sum = 0;
    for (int64_t i = 0; i < run->batch.n_rows; i++)
        sum += run->batch.losses[i];
    state->total += sum;
    update_bias(&run->batch);
    state->n_steps++;
}

fastfm_status fastfm_train(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                           const fastfm_model *model, const fastfm_loss *loss,
                           const fastfm_targets *targets, fastfm_solver *solver, double *total,
                           int num_threads, int64_t *bad_row)
{
    /* The work of one batch, and not of all rows: threads share a batch at a time. */
    const double work = model->fields ? FFM_TRAIN_WORK : FM_TRAIN_WORK;
    const double per_row = score_work(X, model) / (double)max_i64(X->n_rows, 1);
    const int64_t batch_size = min_i64(solver->batch_size, n_rows); /* so that no sum overflows */
    const int n_threads = parallel_threads(num_threads, work * per_row * (double)batch_size);
    training state = {
        .solver = solver, .now = *solver, .n_steps = solver->n_steps, .total = *total};
    batch_run run = {.rows = rows,
                     .n_rows = n_rows,
                     .batch_size = batch_size,
                     .before_batch = set_learning_rate,
                     .after_batch = end_step,
                     .context = &state};
    fastfm_status status;
    if (n_rows == 0)
        return FASTFM_OK;
    status =
        batch_open(&run.batch, X, model, loss, targets, &state.now, batch_size, n_threads, bad_row);
    if (status != FASTFM_OK)
        return status;
    run.batch.view.updated = (fastfm_state){model->w0, model->w, model->V};
    run.batch.weight_sum = 1;
    status = batch_run_all(&run);
    batch_close(&run.batch);
    solver->n_steps = state.n_steps;
    *total = state.total;
    *bad_row = run.bad_row;
    return status;
}
