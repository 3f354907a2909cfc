#include "losses/loss.h"

#include <stdlib.h>

#include "losses/pointwise.h"

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

fastfm_targets targets_slice(const fastfm_targets *targets, int64_t begin)
{
    static const int64_t sizes[] = {
        [FASTFM_F32] = 4, [FASTFM_F64] = 8, [FASTFM_I32] = 4, [FASTFM_I64] = 8, [FASTFM_U8] = 1};
    fastfm_targets slice = *targets;
    slice.y = (const char *)targets->y + begin * sizes[targets->y_type];
    if (targets->weight)
        slice.weight += begin;
    return slice;
}

/* Softmax smoothing: 1 - eps for the true class, eps / (C - 1) for the others. */
static double softmax_loss(const void *scores, fastfm_type real, int64_t first, int64_t n,
                           int64_t label, double eps, double *gradient)
{
    const double other = n > 1 ? eps / (double)(n - 1) : 0;
    int64_t top;
    const double rest = softmax_terms(scores, real, first, n, gradient, &top);
    const double highest = real_at(scores, real, first + top);
    double value = log1p(rest), others = 0;
    for (int64_t c = 0; c < n; c++) {
        const double t = c == label ? 1 - eps : other;
        if (t != 0)
            value += t * (highest - real_at(scores, real, first + c));
        gradient[c] /= 1 + rest;
        if (c != label) {
            others += gradient[c];
            gradient[c] -= other;
        }
    }
    gradient[label] = eps - others; /* p - (1 - eps) without 1 - 1 */
    return value;
}

static int takes(const fastfm_loss *loss, double target, int64_t n_outputs)
{
    switch (loss->kind) {
    case FASTFM_SQUARED:
        return isfinite(target);
    case FASTFM_LOGISTIC:
        return target == 0 || target == 1;
    default:
        return target >= 0 && target < (double)n_outputs && target == floor(target);
    }
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
    const double target = target_at(y, y_type, y_row), eps = loss->label_smoothing;
    if (!takes(loss, target, n_outputs))
        return FASTFM_BAD_LABEL;
    switch (loss->kind) {
    case FASTFM_SQUARED:
        *value = squared_loss(real_at(scores, real, score_row), target, gradient);
        break;
    case FASTFM_LOGISTIC:
        /* t = y (1 - eps) + eps / 2 and 1 - t are eps / 2 and 1 - eps / 2, or the other
         * way round. */
        *value =
            logistic_loss(real_at(scores, real, score_row), target == 1 ? 1 - eps / 2 : eps / 2,
                          target == 1 ? eps / 2 : 1 - eps / 2, gradient);
        break;
    default:
        *value = softmax_loss(scores, real, score_row * n_outputs, n_outputs, (int64_t)target, eps,
                              gradient);
    }
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

fastfm_status fastfm_proba(const fastfm_loss *loss, const void *scores, fastfm_type real,
                           int64_t n_rows, int64_t n_outputs, void *proba)
{
    double *e = (double *)malloc(sizeof(double) * (size_t)n_outputs);
    if (!e)
        return FASTFM_NO_MEMORY;
    for (int64_t i = 0; i < n_rows; i++) {
        int64_t top;
        double rest;
        if (loss->kind == FASTFM_LOGISTIC) {
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
