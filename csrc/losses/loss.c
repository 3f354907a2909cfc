/* Losses, probabilities and weighted sums over rows.
 *
 * A kind of loss is one line of FASTFM_LOSS_LIST (fastfm.h) and one function of pointwise.h. This
 * file knows no kind by name: each switch and table below is made from that list. */
#include "losses/loss.h"

#include <stdlib.h>
#include <string.h>

#include "losses/pointwise.h"

/* Whether the loss takes a target. A target that is NaN or infinite is taken by no loss. */
static int takes(const fastfm_loss *loss, double target, int64_t n_outputs)
{
#define TAKES(name, function, targets, expects, is_multiple) \
    case FASTFM_##name:                                      \
        return is_##targets##_target(target, n_outputs);
    switch (loss->kind) {
        FASTFM_LOSS_LIST(TAKES)
    default:
        return 0;
    }
#undef TAKES
}

/* The loss of one row, by its kind; parameters as in pointwise.h. */
static double loss_of(const fastfm_loss *loss, const void *scores, fastfm_type real, int64_t first,
                      int64_t n, double target, double *gradient)
{
#define LOSS(name, function, targets, expects, is_multiple) \
    case FASTFM_##name:                                     \
        return function##_loss(scores, real, first, n, target, loss->label_smoothing, gradient);
    switch (loss->kind) {
        FASTFM_LOSS_LIST(LOSS)
    default:
        return NAN;
    }
#undef LOSS
}

int fastfm_find_loss(const char *function)
{
#define FUNCTION(name, function, targets, expects, is_multiple) #function,
    static const char *const names[] = {FASTFM_LOSS_LIST(FUNCTION)};
#undef FUNCTION
    int kind = FASTFM_N_LOSSES - 1;
    while (kind >= 0 && strcmp(names[kind], function) != 0)
        kind--;
    return kind;
}

const char *fastfm_loss_expects(fastfm_loss_kind kind)
{
#define EXPECTS(name, function, targets, expects, is_multiple) expects,
    static const char *const texts[] = {FASTFM_LOSS_LIST(EXPECTS)};
#undef EXPECTS
    return texts[kind];
}

int fastfm_loss_is_multiple(fastfm_loss_kind kind)
{
#define IS_MULTIPLE(name, function, targets, expects, is_multiple) is_multiple,
    static const int flags[] = {FASTFM_LOSS_LIST(IS_MULTIPLE)};
#undef IS_MULTIPLE
    return flags[kind];
}

int loss_takes_label(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                     int64_t n_outputs)
{
    return takes(loss, target_at(targets->y, targets->y_type, row), n_outputs);
}

fastfm_status fastfm_check_labels(const fastfm_loss *loss, const fastfm_targets *targets,
                                  int64_t n_rows, int64_t n_outputs, int64_t *bad_row)
{
    for (int64_t i = 0; i < n_rows; i++)
        if (!loss_takes_label(loss, targets, i, n_outputs)) {
            *bad_row = i;
            return FASTFM_BAD_LABEL;
        }
    return FASTFM_OK;
}

/* The loss of one row of scores, their row score_row, against the target y[y_row], to *value, and its
 * gradient, (n_outputs,) in double. BAD_LABEL leaves both as they are. */
static fastfm_status loss_row(const fastfm_loss *loss, const void *y, fastfm_type y_type,
                              int64_t y_row, const void *scores, fastfm_type real,
                              int64_t score_row, int64_t n_outputs, double *value, double *gradient)
{
    const double target = target_at(y, y_type, y_row);
    if (!takes(loss, target, n_outputs))
        return FASTFM_BAD_LABEL;
    *value = loss_of(loss, scores, real, score_row * n_outputs, n_outputs, target, gradient);
    return FASTFM_OK;
}

fastfm_status weighted_loss(const scored_rows *rows, int64_t i, int64_t row)
{
    const fastfm_targets *targets = rows->targets;
    const int64_t C = rows->n_outputs;
    const double weight = targets->weight ? targets->weight[row] : 1;
    double *gradient = rows->row_gradients + i * C, value;
    if (loss_row(rows->loss, targets->y, targets->y_type, row, rows->scores, rows->real, i, C,
                 &value, gradient) != FASTFM_OK)
        return FASTFM_BAD_LABEL;
    rows->losses[i] = weight == 0 ? 0 : weight * value;
    for (int64_t c = 0; c < C; c++) {
        gradient[c] = weight == 0 ? 0 : gradient[c] * weight / rows->weight_sum;
        if (rows->dscores)
            set_real(rows->dscores, rows->real, i * C + c, gradient[c]);
    }
    return weight == 0 || isfinite(value) ? FASTFM_OK : FASTFM_DIVERGED;
}

double weighted_loss_at(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                        double score)
{
    double value = 0, slope;
    const scored_rows rows = {.loss = loss,
                              .targets = targets,
                              .weight_sum = 1,
                              .n_outputs = 1,
                              .real = FASTFM_F64,
                              .scores = &score,
                              .losses = &value,
                              .row_gradients = &slope};
    weighted_loss(&rows, 0, row);
    return value;
}

/* Stops at the first bad label; the rows before it have been written. Every loss function computes its
 * gradient in double, so it gets a row of memory even where the caller wants no gradients. */
fastfm_status fastfm_loss_rows(const fastfm_loss *loss, const void *y, fastfm_type y_type,
                               const void *scores, fastfm_type real, int64_t n_rows,
                               int64_t n_outputs, void *losses, void *gradients, int64_t *bad_row)
{
    double *gradient = (double *)malloc(sizeof(double) * (size_t)n_outputs);
    fastfm_status status = gradient ? FASTFM_OK : FASTFM_NO_MEMORY;
    for (int64_t i = 0; i < n_rows && status == FASTFM_OK; i++) {
        double value;
        status = loss_row(loss, y, y_type, i, scores, real, i, n_outputs, &value, gradient);
        if (status != FASTFM_OK) {
            *bad_row = i;
            break;
        }
        if (losses)
            set_real(losses, real, i, value);
        for (int64_t c = 0; gradients && c < n_outputs; c++)
            set_real(gradients, real, i * n_outputs + c, gradient[c]);
    }
    free(gradient);
    return status;
}

/* With one output a probability is the sigmoid of the score, with several the softmax of the row,
 * e_c / (1 + rest): softmax_terms leaves the 1 of the largest score out of rest. */
fastfm_status fastfm_proba(const fastfm_loss *loss, const void *scores, fastfm_type real,
                           int64_t n_rows, int64_t n_outputs, void *proba)
{
    double *e = (double *)malloc(sizeof(double) * (size_t)n_outputs);
    if (!e)
        return FASTFM_NO_MEMORY;
    for (int64_t i = 0; i < n_rows; i++) {
        int64_t top;
        double rest;
        if (!fastfm_loss_is_multiple(loss->kind)) {
            set_real(proba, real, i, sigmoid(real_at(scores, real, i)));
            continue;
        }
        rest = softmax_terms(scores, real, i * n_outputs, n_outputs, e, &top);
        for (int64_t c = 0; c < n_outputs; c++)
            set_real(proba, real, i * n_outputs + c, e[c] / (1 + rest));
    }
    free(e);
    return FASTFM_OK;
}

/* In blocks of FASTFM_ROW_BLOCK rows, then over the blocks, as fastfm_objective adds: so a mean loss from
 * fastfm_loss_rows has the bits of the objective's. */
double fastfm_weighted_sum(const double *weight, const void *values, fastfm_type real, int64_t n)
{
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += FASTFM_ROW_BLOCK) {
        const int64_t end = min_i64(begin + FASTFM_ROW_BLOCK, n);
        double block = 0;
        for (int64_t i = begin; i < end; i++)
            if (!weight || weight[i] != 0)
                block += (weight ? weight[i] : 1) * real_at(values, real, i);
        total += block;
    }
    return total;
}
