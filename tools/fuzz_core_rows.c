/* Scores, objective, gradients and whatever reads rows; losses of scores. */
#include "fuzz_core.h"

#include <math.h>
#include <stdlib.h>

#include "../tests/c/reference.h"

static int is_label(const fastfm_loss *loss, double y, int64_t n_outputs)
{
    if (loss->kind == FASTFM_SQUARED)
        return isfinite(y) != 0;
    return y >= 0 && y < (loss->kind == FASTFM_LOGISTIC ? 2 : (double)n_outputs) && y == floor(y);
}

/* The first of n rows whose label the loss does not take, or n. */
static int64_t first_bad_label(const problem *P, int64_t n)
{
    int64_t i = 0;
    while (i < n &&
           is_label(&P->loss, target_value(P->targets.y, P->targets.y_type, i), P->m.c.n_outputs))
        i++;
    return i;
}

static void fuzz_scores(const problem *P, int num_threads, fastfm_status status, int64_t row)
{
    const fastfm_model *m = &P->m.c;
    const int64_t n = P->X.n_rows * m->n_outputs;
    void *scores = exactly(n, type_size(m->real)), *others = exactly(n, type_size(m->real));
    int64_t bad_row = 0;
    CHECK(fastfm_score(&P->X, m, scores, num_threads, &bad_row) == status);
    CHECK(status == FASTFM_OK || bad_row == row);
    fastfm_use_level(0);
    CHECK(fastfm_score(&P->X, m, others, 1, &bad_row) == status);
    CHECK(status != FASTFM_OK || same_reals(scores, others, m->real, n));
    free(scores), free(others);
}

/* Total and gradient in arrays of zeros. */
typedef struct {
    double total, *w0;
    void *w, *V;
} evaluation;

static evaluation evaluate(const problem *P, int by_slot, int num_threads, fastfm_status *status,
                           int64_t *bad_row)
{
    const fastfm_model *m = &P->m.c;
    const int64_t n_slots = by_slot ? P->n_slots : m->n_features, C = m->n_outputs;
    const int64_t w_bytes = n_slots * C * type_size(m->real), V_bytes = w_bytes * model_block(m);
    evaluation E = {0, (double *)exactly(C, 8), exactly(w_bytes, 1), exactly(V_bytes, 1)};
    const fastfm_gradient gradient = {n_slots,        by_slot ? P->slots : NULL, E.w0, E.w, E.V,
                                      num_threads > 1};
    memset(E.w0, 0, (size_t)C * 8);
    memset(E.w, 0, (size_t)w_bytes);
    memset(E.V, 0, (size_t)V_bytes);
    *status = fastfm_objective(&P->X, m, &P->loss, &P->targets, P->weight_sum, &E.total, &gradient,
                               num_threads, bad_row);
    return E;
}

static void fuzz_objective(const problem *P, int by_slot, int num_threads, fastfm_status status,
                           int64_t row)
{
    const fastfm_model *m = &P->m.c;
    const int64_t n = (by_slot ? P->n_slots : m->n_features) * m->n_outputs;
    int64_t bad_row = 0;
    fastfm_status found;
    evaluation E = evaluate(P, by_slot, num_threads, &found, &bad_row), serial;
    CHECK(found == status && (status == FASTFM_OK || bad_row == row));
    fastfm_use_level(0);
    serial = evaluate(P, by_slot, 1, &found, &bad_row);
    CHECK(found == status && (status == FASTFM_OK || bad_row == row));
    if (status == FASTFM_OK) {
        CHECK(same_reals(&E.total, &serial.total, FASTFM_F64, 1));
        CHECK(same_reals(E.w0, serial.w0, FASTFM_F64, m->n_outputs));
        CHECK(same_reals(E.w, serial.w, m->real, n));
        CHECK(same_reals(E.V, serial.V, m->real, n * model_block(m)));
    }
    free(E.w0), free(E.w), free(E.V);
    free(serial.w0), free(serial.w), free(serial.V);
}

/* Of rows whose columns may repeat: none is repeated afterwards. */
static void fuzz_repeats(const problem *P)
{
    fastfm_csr summed = P->X;
    int64_t bad_row;
    void *indptr = exactly(P->X.n_rows + 1, type_size(P->X.index_type));
    void *indices = exactly(P->X.nnz, type_size(P->X.index_type));
    void *data = exactly(P->X.nnz, type_size(P->X.data_type));
    CHECK(fastfm_sum_repeats(&P->X, indptr, indices, data) == FASTFM_OK);
    summed.indptr = indptr, summed.indices = indices, summed.data = data;
    CHECK(fastfm_check(&summed, P->m.c.n_features, NULL, 1, &bad_row) == FASTFM_OK);
    CHECK(get_index(indptr, P->X.index_type, P->X.n_rows) <= P->X.nnz);
    free(indptr), free(indices), free(data);
}

static void fuzz_normalize(const problem *P, input *in, int num_threads, fastfm_status status)
{
    const fastfm_csr *X = &P->X;
    const fastfm_type type = input_type(in, FASTFM_F32, FASTFM_F64);
    const fastfm_normalization how = input_below(in, 2) ? FASTFM_XLEARN : FASTFM_INSTANCE;
    void *data[2];
    double *scale[2];
    int64_t bad_row = 0;
    for (int i = 0; i < 2; i++) {
        data[i] = exactly(X->nnz, type_size(type));
        scale[i] = how == FASTFM_XLEARN ? (double *)exactly(X->n_rows, 8) : NULL;
        memset(data[i], 0, (size_t)(X->nnz * type_size(type)));
        CHECK((fastfm_normalize(X, how, data[i], type, scale[i], i ? num_threads : 1, &bad_row) ==
               FASTFM_BAD_INDPTR) == (status == FASTFM_BAD_INDPTR));
    }
    if (status != FASTFM_BAD_INDPTR) {
        CHECK(same_reals(data[0], data[1], type, X->nnz));
        CHECK(!scale[0] || same_reals(scale[0], scale[1], FASTFM_F64, X->n_rows));
    }
    for (int i = 0; i < 2; i++)
        free(data[i]), free(scale[i]);
}

static void fuzz_penalty(const problem *P, int num_threads)
{
    const fastfm_model *m = &P->m.c;
    const int64_t n = m->n_features * m->n_outputs * model_block(m);
    double squares[2];
    for (int i = 0; i < 2; i++) {
        void *gradient = exactly(n, type_size(m->real));
        memset(gradient, 0, (size_t)(n * type_size(m->real)));
        CHECK(fastfm_l2(m->V, m->real, n, 1, gradient, i ? num_threads : 1, &squares[i]) ==
              FASTFM_OK);
        CHECK(same_reals(gradient, m->V, m->real, n));
        free(gradient);
    }
    CHECK(same_bytes(&squares[0], &squares[1], 8));
}

void fuzz_rows(input *in)
{
    const int num_threads = input_threads(in), level = fastfm_active_level();
    problem P = problem_from(in);
    const int64_t n = P.X.n_rows;
    int64_t row, bad_row = 0, label_row = first_bad_label(&P, n);
    double largest;
    const fastfm_status status = reference_check(&P.X, P.m.c.n_features, &row);
    CHECK(fastfm_check(&P.X, P.m.c.n_features, &largest, 3, &bad_row) == status);
    CHECK(status == FASTFM_OK || bad_row == row);
    fuzz_scores(&P, num_threads, status, row);
    for (int by_slot = 0; by_slot < 2; by_slot++) {
        const int labels_count = status == FASTFM_OK && label_row < n;
        fastfm_use_level(level);
        fuzz_objective(&P, by_slot, num_threads, labels_count ? FASTFM_BAD_LABEL : status,
                       labels_count ? label_row : row);
    }
    if (status == FASTFM_OK || status == FASTFM_REPEATED_COLUMN)
        fuzz_repeats(&P);
    fuzz_normalize(&P, in, num_threads, status);
    fuzz_penalty(&P, num_threads);
    problem_free(&P);
}

void fuzz_losses(input *in)
{
    problem P = problem_from(in);
    const int64_t n = P.X.n_rows, C = P.m.c.n_outputs, label_row = first_bad_label(&P, n);
    const fastfm_type real = P.m.c.real;
    void *scores = exactly(n * C, type_size(real)), *losses = exactly(n, type_size(real));
    void *gradients = exactly(n * C, type_size(real)), *proba = exactly(n * C, type_size(real));
    int64_t bad_row = 0;
    int are_small = 1;
    for (int64_t i = 0; i < n * C; i++) {
        set_real(scores, real, i, input_real(in));
        are_small &= fabs(get_real(scores, real, i)) < 1e30;
    }
    CHECK(fastfm_loss_rows(&P.loss, P.targets.y, P.targets.y_type, scores, real, n, C, losses,
                           gradients, &bad_row) == (label_row < n ? FASTFM_BAD_LABEL : FASTFM_OK));
    CHECK(label_row == n || bad_row == label_row);
    for (int64_t i = 0; i < n && label_row == n && P.loss.kind != FASTFM_SQUARED; i++)
        CHECK(!are_small || get_real(losses, real, i) >= 0);
    if (P.loss.kind != FASTFM_SQUARED) {
        CHECK(fastfm_proba(&P.loss, scores, real, n, C, proba) == FASTFM_OK);
        for (int64_t i = 0; i < n * C && are_small; i++)
            CHECK(get_real(proba, real, i) >= 0 && get_real(proba, real, i) <= 1);
    }
    free(scores), free(losses), free(gradients), free(proba);
    problem_free(&P);
}
