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

/* Everything that is computed of the rows, and what each function returned. */
typedef struct {
    void *scores, *w, *V;
    double *w0, total, total_alone;
    struct {
        fastfm_status status;
        int64_t row;
    } of_scores, of_objective, of_gradient;
} evaluation;

static evaluation evaluation_new(const problem *P)
{
    const fastfm_model *m = &P->m.c;
    const int64_t real = type_size(m->real), n_w = m->n_features * m->n_outputs;
    evaluation E = {.scores = calloc((size_t)(P->X.n_rows * m->n_outputs) + 1, (size_t)real)};
    E.w0 = (double *)calloc((size_t)m->n_outputs, 8);
    E.w = exactly(n_w, real);
    E.V = exactly(n_w * model_block(m), real);
    memset(E.w, 0, (size_t)(n_w * real));
    memset(E.V, 0, (size_t)(n_w * model_block(m) * real));
    return E;
}

static void evaluation_free(evaluation *E) { free(E->scores), free(E->w0), free(E->w), free(E->V); }

/* Adds rows [begin, end) of P to E. */
static void evaluate_rows(const problem *P, int64_t begin, int64_t end, int num_threads,
                          evaluation *E)
{
    const fastfm_model *m = &P->m.c;
    fastfm_csr X = P->X;
    const fastfm_targets targets = {
        (const char *)P->targets.y + begin * type_size(P->targets.y_type), P->targets.y_type,
        P->targets.weight ? P->targets.weight + begin : NULL};
    const fastfm_gradient_arrays gradient = {E->w0, E->w, E->V, begin == 0 && num_threads > 1};
    char *scores = (char *)E->scores + begin * m->n_outputs * type_size(m->real);
    X.n_rows = end - begin;
    X.indptr = (const char *)P->X.indptr + begin * type_size(X.index_type);
    E->of_scores.status = fastfm_score(&X, m, scores, num_threads, &E->of_scores.row);
    E->of_objective.status = fastfm_objective(&X, m, &P->loss, &targets, &E->total_alone,
                                              num_threads, &E->of_objective.row);
    E->of_gradient.status = fastfm_gradient(&X, m, &P->loss, &targets, P->weight_sum, &E->total,
                                            &gradient, num_threads, &E->of_gradient.row);
}

static void same_evaluations(const problem *P, const evaluation *a, const evaluation *b)
{
    const fastfm_model *m = &P->m.c;
    const int64_t C = m->n_outputs, n_w = m->n_features * C;
    CHECK(a->of_scores.status == b->of_scores.status);
    CHECK(a->of_objective.status == b->of_objective.status);
    CHECK(a->of_gradient.status == b->of_gradient.status);
    if (a->of_scores.status == FASTFM_OK)
        CHECK(same_reals(a->scores, b->scores, m->real, P->X.n_rows * C));
    CHECK(same_reals(&a->total_alone, &b->total_alone, FASTFM_F64, 1));
    CHECK(same_reals(&a->total, &b->total, FASTFM_F64, 1));
    CHECK(same_reals(a->w0, b->w0, FASTFM_F64, C));
    if (a->of_gradient.status == FASTFM_OK) {
        CHECK(same_reals(&a->total, &a->total_alone, FASTFM_F64, 1));
        CHECK(same_reals(a->w, b->w, m->real, n_w));
        CHECK(same_reals(a->V, b->V, m->real, n_w * model_block(m)));
    } else {
        CHECK(same_value(a->total, 0) && same_value(a->total_alone, 0) && same_value(a->w0[0], 0));
    }
}

/* With threads and one by one; in pieces; and with repeats summed before: the same. */
static void fuzz_evaluation(const problem *P, int num_threads, fastfm_status status, int64_t row)
{
    const int64_t n = P->X.n_rows, label_row = first_bad_label(P, n);
    const int labels_count = status == FASTFM_OK && label_row < n;
    const fastfm_status of_labels = labels_count ? FASTFM_BAD_LABEL : status;
    evaluation E = evaluation_new(P), serial = evaluation_new(P), pieces = evaluation_new(P);
    evaluate_rows(P, 0, n, num_threads, &E);
    CHECK(E.of_scores.status == status && (status == FASTFM_OK || E.of_scores.row == row));
    CHECK(E.of_objective.status == of_labels && E.of_gradient.status == of_labels);
    if (of_labels != FASTFM_OK) {
        const int64_t expected = labels_count ? label_row : row;
        CHECK(E.of_objective.row == expected && E.of_gradient.row == expected);
    }
    for (int64_t begin = 0; of_labels == FASTFM_OK && begin < n; begin += FASTFM_PIECE_ROWS)
        evaluate_rows(P, begin, begin + FASTFM_PIECE_ROWS < n ? begin + FASTFM_PIECE_ROWS : n,
                      num_threads, &pieces);
    if (of_labels == FASTFM_OK)
        same_evaluations(P, &E, &pieces);
    fastfm_use_level(0);
    evaluate_rows(P, 0, n, 1, &serial);
    same_evaluations(P, &E, &serial);
    if (status == FASTFM_OK) {
        problem summed = problem_with_sums(P);
        evaluation of_summed = evaluation_new(P);
        evaluate_rows(&summed, 0, n, 1, &of_summed);
        same_evaluations(P, &E, &of_summed);
        evaluation_free(&of_summed);
        problem_with_sums_free(&summed);
    }
    evaluation_free(&E), evaluation_free(&serial), evaluation_free(&pieces);
}

/* Of rows that do not lie: the sums, whether there were any, and the largest value. */
static void fuzz_repeats(const problem *P, int has_repeats, int num_threads)
{
    const fastfm_type type = P->X.index_type, data_type = P->X.data_type;
    const int64_t first = P->X.n_rows > 0 ? get_index(P->X.indptr, type, 0) : 0;
    const int64_t last = P->X.n_rows > 0 ? get_index(P->X.indptr, type, P->X.n_rows) : 0;
    problem expected = problem_with_sums(P);
    char *indices = (char *)exactly(P->X.nnz, type_size(type));
    char *data = (char *)exactly(P->X.nnz, type_size(data_type));
    double largest, largest_of_sums = 0;
    int found;
    int64_t bad_row;
    CHECK(fastfm_sum_repeats(&P->X, indices, data) == FASTFM_OK);
    CHECK(same_bytes(indices + first * type_size(type),
                     (const char *)expected.X.indices + first * type_size(type),
                     (last - first) * type_size(type)));
    CHECK(same_reals(data + first * type_size(data_type),
                     (const char *)expected.X.data + first * type_size(data_type), data_type,
                     last - first));
    for (int64_t p = first; p < last; p++) {
        const double size = fabs(get_real(expected.X.data, data_type, p));
        largest_of_sums = size > largest_of_sums || isnan(size) ? size : largest_of_sums;
    }
    CHECK(fastfm_check(&P->X, P->m.c.n_features, &largest, &found, num_threads, &bad_row) ==
          FASTFM_OK);
    CHECK(found == has_repeats && same_reals(&largest, &largest_of_sums, FASTFM_F64, 1));
    problem_with_sums_free(&expected);
    free(indices), free(data);
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
    const int num_threads = input_threads(in);
    problem P = problem_from(in);
    int64_t row, bad_row = 0;
    int has_repeats;
    const fastfm_status status = reference_check(&P.X, P.m.c.n_features, &has_repeats, &row);
    CHECK(fastfm_check(&P.X, P.m.c.n_features, NULL, NULL, 3, &bad_row) == status);
    CHECK(status == FASTFM_OK || bad_row == row);
    if (status == FASTFM_OK)
        fuzz_repeats(&P, has_repeats, num_threads);
    fuzz_evaluation(&P, num_threads, status, row);
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
