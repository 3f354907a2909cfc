/* Labels that the loss does not take: the right status and the first such row. */
#include <math.h>
#include <stdlib.h>

#include "tests.h"

static const fastfm_type reals[] = {FASTFM_F32, FASTFM_F64};

/* A label that the loss does not take, in row 2 of 3, of fastfm_loss_rows. */
static void check_label(fastfm_loss_kind loss_kind, fastfm_type type, double label,
                        fastfm_status expected)
{
    const fastfm_loss loss = {loss_kind, 0};
    const int64_t C = loss_kind == FASTFM_SOFTMAX ? 3 : 1;
    void *y = exactly(4, type_size(type)), *scores = exactly(4 * C, 8), *losses = exactly(4, 8);
    void *gradients = exactly(4 * C, 8);
    int64_t bad_row = -1;
    memset(y, 0, (size_t)(4 * type_size(type)));
    memset(scores, 0, (size_t)(4 * C * 8));
    for (int64_t i = 2; i < 4; i++) {
        if (type == FASTFM_U8)
            ((uint8_t *)y)[i] = (uint8_t)label;
        else if (type == FASTFM_I32 || type == FASTFM_I64)
            set_index(y, type, i,
                      label >= 9e18    ? INT64_MAX
                      : label <= -9e18 ? INT64_MIN
                                       : (int64_t)label);
        else
            set_real(y, type, i, label);
    }
    CASE("loss %d, label %g of type %d", (int)loss_kind, label, (int)type);
    CHECK(fastfm_loss_rows(&loss, y, type, scores, FASTFM_F64, 4, C, losses, gradients, &bad_row) ==
          expected);
    CHECK(expected == FASTFM_OK || bad_row == 2);
    free(y), free(scores), free(losses), free(gradients);
}

static void test_single_labels(void)
{
    static const double bad[] = {-1, 0.5, 3, 1e300, -1e300, NAN, INFINITY, -INFINITY};
    static const double bad_integers[] = {-1, 3, 1e6, 9e18, -9e18};
    for (int64_t b = 0; b < COUNT(bad); b++)
        for (int64_t r = 0; r < 2; r++) {
            check_label(FASTFM_LOGISTIC, reals[r], bad[b], FASTFM_BAD_LABEL);
            check_label(FASTFM_SOFTMAX, reals[r], bad[b], FASTFM_BAD_LABEL);
        }
    for (int64_t r = 0; r < 2; r++)
        for (int64_t b = 5; b < 8; b++)
            check_label(FASTFM_SQUARED, reals[r], bad[b], FASTFM_BAD_LABEL);
    for (int64_t b = 0; b < COUNT(bad_integers); b++) {
        check_label(FASTFM_LOGISTIC, FASTFM_I64, bad_integers[b], FASTFM_BAD_LABEL);
        check_label(FASTFM_SOFTMAX, FASTFM_I64, bad_integers[b], FASTFM_BAD_LABEL);
    }
    check_label(FASTFM_LOGISTIC, FASTFM_I32, 2, FASTFM_BAD_LABEL);
    check_label(FASTFM_LOGISTIC, FASTFM_U8, 2, FASTFM_BAD_LABEL);
    check_label(FASTFM_SOFTMAX, FASTFM_U8, 255, FASTFM_BAD_LABEL);
    check_label(FASTFM_SOFTMAX, FASTFM_U8, 2, FASTFM_OK);
    check_label(FASTFM_SQUARED, FASTFM_I64, -9e18, FASTFM_OK);
}

/* Two bad labels anywhere, and in places a bad index: with any number of threads a bad index is
 * told before bad labels, and of these the first. */
static void test_objective(const matrix *rows, int64_t test)
{
    const int num_threads = 1 + (int)(test % 3);
    const kind type = {FASTFM_F32, FASTFM_F32, FASTFM_I32, 40, 3, test % 2 ? 4 : 0};
    problem P = problem_new(rows, type);
    double *y = (double *)exactly(rows->n_rows, 8), total = 0;
    outputs out = outputs_start(&P);
    const fastfm_targets targets = {y, FASTFM_F64, NULL};
    const int64_t one = random_below(rows->n_rows), other = random_below(rows->n_rows);
    const int64_t label_row = one < other ? one : other, index_row = random_below(rows->n_rows);
    const int is_label = test % 5 > 0;
    int64_t bad_row = -1;
    for (int64_t i = 0; i < rows->n_rows; i++)
        y[i] = (double)(i % 3);
    y[one] = test % 4 ? 3 : NAN;
    y[other] = -1;
    if (!is_label)
        set_index((void *)(uintptr_t)P.X.indices, type.index, rows->indptr[index_row], -1);
    fastfm_use_level((int)(test % fastfm_n_levels()));
    CASE("bad label in row %d, bad index in row %d, %d threads", (int)label_row,
         is_label ? -1 : (int)index_row, num_threads);
    CHECK(fastfm_objective(&P.X, &P.m.c, &P.loss, &targets, &total, num_threads, &bad_row) ==
          (is_label ? FASTFM_BAD_LABEL : FASTFM_BAD_INDEX));
    CHECK(bad_row == (is_label ? label_row : index_row) && same_value(total, 0));
    bad_row = -1;
    CHECK(fastfm_gradient(&P.X, &P.m.c, &P.loss, &targets, 1, &total,
                          &(fastfm_gradient_arrays){out.w0, out.w, out.V, FASTFM_KEPT}, num_threads,
                          &bad_row) == (is_label ? FASTFM_BAD_LABEL : FASTFM_BAD_INDEX));
    CHECK(bad_row == (is_label ? label_row : index_row) && same_value(total, 0));
    CHECK(fastfm_check_labels(&P.loss, &targets, rows->n_rows, type.n_outputs, &bad_row) ==
          FASTFM_BAD_LABEL);
    CHECK(bad_row == label_row);
    outputs_free(&out);
    free(y);
    problem_free(&P);
}

void test_labels(void)
{
    matrix rows;
    random_state = 5;
    rows = matrix_equal_rows(700, 8, 40);
    test_single_labels();
    for (int64_t test = 0; test < 60; test++)
        test_objective(&rows, test);
    matrix_free(&rows);
}
