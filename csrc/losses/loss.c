/* Losses, probabilities and weighted sums over rows. What a kind of loss is stands in
 * FASTFM_LOSS_LIST and losses/pointwise.h; this file knows no kind by name. */
#include "losses/loss.h"

#include <stdlib.h>
#include <string.h>

#include "losses/pointwise.h"

/* Target i as double, which holds every class number below 2^53. */
static double target_at(const void *y, fastfm_type type, int64_t i)
{
    switch (type) {
    case FASTFM_F32:
        return ((const float *)y)[i];
    case FASTFM_F64:
        return ((const double *)y)[i];
    case FASTFM_I32:
        return ((const int32_t *)y)[i];
    case FASTFM_I64:
        return (double)((const int64_t *)y)[i];
    default:
        return ((const uint8_t *)y)[i];
    }
}

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

fastfm_status loss_row(const fastfm_loss *loss, const void *y, fastfm_type y_type, int64_t y_row,
                       const void *scores, fastfm_type real, int64_t score_row, int64_t n_outputs,
                       double *value, double *gradient)
{
    const double target = target_at(y, y_type, y_row);
    if (!takes(loss, target, n_outputs))
        return FASTFM_BAD_LABEL;
    *value = loss_of(loss, scores, real, score_row * n_outputs, n_outputs, target, gradient);
    return FASTFM_OK;
}

fastfm_status loss_row_weighted(const fastfm_loss *loss, const fastfm_targets *targets, int64_t row,
                                const void *scores, fastfm_type real, int64_t place,
                                int64_t n_outputs, double weight_sum, double *value,
                                double *gradient, void *dscores)
{
    const double weight = weight_of(targets, row);
    const fastfm_status status = loss_row(loss, targets->y, targets->y_type, row, scores, real,
                                          place, n_outputs, value, gradient);
    for (int64_t c = 0; c < n_outputs && status == FASTFM_OK; c++) {
        gradient[c] = weight == 0 ? 0 : gradient[c] * weight / weight_sum;
        set_real(dscores, real, place * n_outputs + c, gradient[c]);
    }
    return status;
}

/* Stops at the first bad label; the rows before it have been written. One row's gradient is kept in
 * double and then narrowed to the type of the scores. */
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

/* A loss with one output: the probability of class 1. One with several: that of each class. */
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

/* In blocks of FASTFM_ROW_BLOCK rows, as fastfm_objective adds, so that both agree. */
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
