/* Losses, probabilities, penalties and sums. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "reference.h"
#include "tests.h"

static const fastfm_type reals[] = {FASTFM_F32, FASTFM_F64};
static const double smoothings[] = {0, 0.125, 0.9};

/* A few roundings in double and one of the output's type. Softmax rounds differences of scores, up
 * to 745 where exp is not zero, before exp makes relative errors of them. The absolute part is for
 * differences of terms of about 1 (label smoothing) and for numbers too small to be normal. */
static int is_close(double value, double expected, const fastfm_loss *loss, fastfm_type real,
                    double absolute)
{
    const double relative = real == FASTFM_F32             ? 1.2e-7
                            : loss->kind == FASTFM_SOFTMAX ? 2e-13
                                                           : 1e-15;
    const double smallest = real == FASTFM_F32 ? 3e-45 : 1e-322;
    return fabs(value - expected) <= relative * fabs(expected) + absolute + smallest;
}

/* The loss of n_rows rows against the reference, and each output alone. */
static void check_losses(const fastfm_loss *loss, const void *y, fastfm_type y_type,
                         const double *wide, fastfm_type real, int64_t n_rows, int64_t C)
{
    void *scores = exactly(n_rows * C, type_size(real)), *losses = exactly(n_rows, type_size(real));
    void *gradients = exactly(n_rows * C, type_size(real)),
         *alone = exactly(n_rows * C, type_size(real));
    double *s = (double *)exactly(C, 8), *gradient = (double *)exactly(C, 8);
    const double absolute = loss->label_smoothing > 0 ? 1e-15 * (double)C : 0;
    int64_t bad_row;
    for (int64_t i = 0; i < n_rows * C; i++)
        set_real(scores, real, i, wide[i]);
    CHECK(fastfm_loss_rows(loss, y, y_type, scores, real, n_rows, C, losses, gradients, &bad_row) ==
          FASTFM_OK);
    for (int64_t i = 0; i < n_rows; i++) {
        double value;
        for (int64_t c = 0; c < C; c++)
            s[c] = get_real(scores, real, i * C + c);
        value = reference_loss(loss, target_value(y, y_type, i), s, C, gradient);
        CASE("loss %d, smoothing %g, real f%d, %d outputs, score %g", (int)loss->kind,
             loss->label_smoothing, (int)type_size(real) * 8, (int)C, s[0]);
        CHECK(is_close(get_real(losses, real, i), value, loss, real, 0));
        for (int64_t c = 0; c < C; c++)
            CHECK(
                is_close(get_real(gradients, real, i * C + c), gradient[c], loss, real, absolute));
    }
    CHECK(fastfm_loss_rows(loss, y, y_type, scores, real, n_rows, C, alone, NULL, &bad_row) ==
          FASTFM_OK);
    CHECK(same_bytes(alone, losses, n_rows * type_size(real)));
    CHECK(fastfm_loss_rows(loss, y, y_type, scores, real, n_rows, C, NULL, alone, &bad_row) ==
          FASTFM_OK);
    CHECK(same_bytes(alone, gradients, n_rows * C * type_size(real)));
    if (loss->kind != FASTFM_SQUARED) {
        CHECK(fastfm_proba(loss, scores, real, n_rows, C, alone) == FASTFM_OK);
        for (int64_t i = 0; i < n_rows; i++) {
            for (int64_t c = 0; c < C; c++)
                s[c] = get_real(scores, real, i * C + c);
            reference_proba(loss, s, C, gradient);
            for (int64_t c = 0; c < C; c++)
                CHECK(is_close(get_real(alone, real, i * C + c), gradient[c], loss, real, 0));
        }
    }
    free(scores), free(losses), free(gradients), free(alone), free(s), free(gradient);
}

static void test_binary_losses(void)
{
    static const double sizes[] = {0,  1e-20, 1e-8, 1e-3, 0.3, 1,   5,   17,  20,   36,
                                   38, 50,    87,   104,  700, 745, 750, 1e4, 1e300};
    static const int64_t n = 4 * COUNT(sizes);
    double *scores = (double *)exactly(n, 8);
    uint8_t *u8 = (uint8_t *)exactly(n, 1);
    int32_t *i32 = (int32_t *)exactly(n, 4);
    int64_t *i64 = (int64_t *)exactly(n, 8);
    float *f32 = (float *)exactly(n, 4);
    double *f64 = (double *)exactly(n, 8);
    const void *const targets[] = {f32, f64, i32, i64, u8}; /* in the order of fastfm_type */
    for (int64_t i = 0; i < n; i++) {
        scores[i] = (i & 1 ? -1 : 1) * sizes[i / 4];
        f32[i] = (float)(f64[i] = (double)(i64[i] = i32[i] = u8[i] = (uint8_t)(i >> 1 & 1)));
    }
    for (int64_t r = 0; r < 2; r++)
        for (int64_t e = 0; e < COUNT(smoothings); e++)
            for (int type = 0; type < 5; type++) { /* without 1e300 where it is infinite */
                const fastfm_loss logistic = {FASTFM_LOGISTIC, smoothings[e]};
                check_losses(&logistic, targets[type], (fastfm_type)type, scores, reals[r],
                             r ? n : n - 4, 1);
            }
    for (int64_t i = 0; i < n; i++)
        f32[i] = (float)(f64[i] = (double)(i64[i] = i32[i] = (int32_t)(u8[i] = (uint8_t)(i * 3))));
    for (int64_t r = 0; r < 2; r++)
        for (int type = 0; type < 5; type++) /* (1e300)^2 is infinite */
            check_losses(&(fastfm_loss){FASTFM_SQUARED, 0}, targets[type], (fastfm_type)type,
                         scores, reals[r], n - 4, 1);
    free(scores), free(u8), free(i32), free(i64), free(f32), free(f64);
}

static void test_softmax(void)
{
    static const double scales[] = {0, 1e-8, 0.1, 1, 30, 1000, 1e4, 1e30, 1e300};
    static const int64_t n_classes[] = {1, 2, 3, 5, 70};
    for (int64_t o = 0; o < COUNT(n_classes); o++) {
        const int64_t C = n_classes[o], n = COUNT(scales) * 3;
        double *scores = (double *)exactly(n * C, 8);
        int32_t *y = (int32_t *)exactly(n, 4);
        for (int64_t i = 0; i < n; i++) {
            y[i] = (int32_t)random_below(C);
            for (int64_t c = 0; c < C; c++)
                scores[i * C + c] = scales[i / 3] * random_real();
        }
        for (int64_t r = 0; r < 2; r++)
            for (int64_t e = 0; e < (C > 1 ? COUNT(smoothings) : 1); e++)
                check_losses(&(fastfm_loss){FASTFM_SOFTMAX, smoothings[e]}, y, FASTFM_I32, scores,
                             reals[r], r ? n : n - 3, C);
        free(scores), free(y);
    }
}

static void test_l2(void)
{
    static const int64_t lengths[] = {0, 1, 7, 8, 9, 100, 65535, 65536, 65537, 700003};
    for (int64_t test = 0; test < 2 * COUNT(lengths); test++) {
        const fastfm_type real = reals[test % 2];
        const int64_t n = lengths[test / 2], bytes = type_size(real);
        void *values = exactly(n, bytes), *first = exactly(n, bytes), *grad = exactly(n, bytes);
        long double expected = 0;
        double sum_first = -1, total = -1;
        int close = 1;
        CASE("l2 of %d values, real f%d", (int)n, (int)bytes * 8);
        for (int64_t i = 0; i < n; i++) {
            set_real(values, real, i, random_real());
            set_real(first, real, i, start_value(i, 0));
            expected += (long double)get_real(values, real, i) * get_real(values, real, i);
        }
        CHECK(fastfm_l2(values, real, n, 0.375, first, 1, &sum_first) == FASTFM_OK);
        CHECK(fabs(sum_first - (double)expected) <= 1e-13 * (double)expected);
        for (int64_t i = 0; i < n; i++)
            close &=
                fabs(get_real(first, real, i) - start_value(i, 0) -
                     0.375 * get_real(values, real, i)) <= (real == FASTFM_F32 ? 1.2e-7 : 3e-16);
        CHECK(close);
        for (int num_threads = 1; num_threads <= 3; num_threads++) {
            for (int64_t i = 0; i < n; i++)
                set_real(grad, real, i, start_value(i, 0));
            CHECK(fastfm_l2(values, real, n, 0.375, grad, num_threads, &total) == FASTFM_OK);
            CHECK(same_bytes(&total, &sum_first, 8) && same_bytes(grad, first, n * bytes));
            CHECK(fastfm_l2(values, real, n, 0.375, NULL, num_threads, &total) == FASTFM_OK);
            CHECK(same_bytes(&total, &sum_first, 8));
        }
        free(values), free(first), free(grad);
    }
}

static void test_weighted_sum(void)
{
    static const int64_t lengths[] = {0, 1, 255, 256, 257, 1000};
    for (int64_t test = 0; test < 4 * COUNT(lengths); test++) {
        const fastfm_type real = reals[test % 2];
        const int64_t n = lengths[test / 4];
        void *values = exactly(n, type_size(real));
        double *weight = test / 2 % 2 ? (double *)exactly(n, 8) : NULL;
        long double expected = 0;
        for (int64_t i = 0; i < n; i++) {
            set_real(values, real, i, random_real());
            if (weight)
                weight[i] = i % 3 ? random_real() : 0;
            expected += (weight ? weight[i] : 1) * get_real(values, real, i);
            if (weight && weight[i] == 0)
                set_real(values, real, i, NAN);
        }
        CASE("weighted sum of %d values", (int)n);
        CHECK(fabs(fastfm_weighted_sum(weight, values, real, n) - (double)expected) <=
              1e-13 * (double)(n + 1));
        free(values), free(weight);
    }
}

static void test_names(void)
{
    static const struct {
        const char *name, *expects;
        int is_multiple;
    } losses[FASTFM_N_LOSSES] = {
        [FASTFM_SQUARED] = {"squared", "a finite number", 0},
        [FASTFM_LOGISTIC] = {"logistic", "0 or 1", 0},
        [FASTFM_SOFTMAX] = {"softmax", "an integer class in 0..{last}", 1}};
    static const struct {
        const char *name;
        int n_states;
    } rules[FASTFM_N_RULES] = {[FASTFM_SGD] = {"sgd", 0},
                               [FASTFM_ADAGRAD] = {"adagrad", 1},
                               [FASTFM_ADAM] = {"adam", 2},
                               [FASTFM_FTRL] = {"ftrl", 2},
                               [FASTFM_SUM] = {"sum", 0}};
    static const char *const unknown[] = {"", "SGD", "sg", "sgd ", "square", "softmax_", "huber"};
    CASE("names");
    for (int status = 0; status < FASTFM_N_STATUSES; status++)
        CHECK(strlen(fastfm_status_message((fastfm_status)status)) > 0);
    for (int level = 0; level < fastfm_n_levels(); level++) {
        fastfm_use_level(level);
        CHECK(fastfm_active_level() == level && strlen(fastfm_level_name(level)) > 0);
    }
    for (int loss = 0; loss < FASTFM_N_LOSSES; loss++) {
        CHECK(fastfm_find_loss(losses[loss].name) == loss);
        CHECK(strcmp(fastfm_loss_expects((fastfm_loss_kind)loss), losses[loss].expects) == 0);
        CHECK(fastfm_loss_is_multiple((fastfm_loss_kind)loss) == losses[loss].is_multiple);
    }
    for (int rule = 0; rule < FASTFM_N_RULES; rule++) {
        CHECK(fastfm_find_rule(rules[rule].name) == rule);
        CHECK(fastfm_rule_n_states((fastfm_rule)rule) == rules[rule].n_states);
    }
    for (int64_t i = 0; i < COUNT(unknown); i++)
        CHECK(fastfm_find_loss(unknown[i]) == -1 && fastfm_find_rule(unknown[i]) == -1);
    CHECK(fastfm_max_threads() >= 1);
    CHECK(strlen(fastfm_compiler()) > 0);
}

void test_rows(void)
{
    random_state = 3;
    test_binary_losses();
    test_softmax();
    test_l2();
    test_weighted_sum();
    test_names();
}
