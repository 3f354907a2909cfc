/* fastfm_train by SGD with batches of one row, row by row against the formulas: rows as they are,
 * divided, and with repeated columns. */
#include <math.h>
#include <stdlib.h>

#include "learner.h"
#include "reference.h"
#include "repeats.h"
#include "tests.h"

typedef struct {
    double loss, loss_magnitude;
    sum *w0, *w, *V;                  /* gradients */
    unsigned char *has_value, *field; /* of the row */
} row_gradient;

static row_gradient row_gradient_new(const fastfm_model *m)
{
    const int64_t C = m->n_outputs, n_w = C * m->n_features, n_V = n_w * model_block(m);
    row_gradient g = {.w0 = (sum *)exactly(C + n_w + n_V, sizeof(sum)),
                      .has_value = (unsigned char *)exactly(m->n_features + m->n_fields, 1)};
    g.w = g.w0 + C;
    g.V = g.w + n_w;
    g.field = g.has_value + m->n_features;
    memset(g.w0, 0, sizeof(sum) * (size_t)(C + n_w + n_V));
    memset(g.has_value, 0, (size_t)(m->n_features + m->n_fields));
    return g;
}

static void row_gradient_free(row_gradient *g)
{
    free(g->w0);
    free(g->has_value);
}

/* That of the weighted loss of row i, and which features and fields the row touches. */
static row_gradient find_gradient(const problem *P, const model *m, int64_t i, double weight)
{
    const int64_t C = m->c.n_outputs;
    row_gradient g = row_gradient_new(&m->c);
    double *scores = (double *)exactly(2 * C, 8), *derivative = scores + C;
    double magnitude = 0, steepest = 1;
    prepared_row row;
    for (int64_t c = 0; c < C; c++) {
        const sum s = reference_score(&P->X, m, i, c);
        scores[c] = s.value;
        magnitude += s.magnitude;
    }
    g.loss = weight * reference_loss(&P->loss, target_value(P->targets.y, P->targets.y_type, i),
                                     scores, C, derivative);
    for (int64_t c = 0; c < C; c++) {
        const sum dscore = {weight * derivative[c], weight * magnitude};
        steepest = fmax(steepest, fabs(derivative[c]));
        g.w0[c] = (sum){dscore.value, fabs(dscore.value) + dscore.magnitude};
        reference_gradient(&P->X, m, i, c, dscore, g.w, g.V);
    }
    g.loss_magnitude = g.loss + weight * steepest * magnitude;
    row = reference_row(&P->X, &m->c, i);
    for (int64_t a = 0; a < row.n && weight > 0; a++) {
        if (!same_value(row.x[a], 0)) {
            g.has_value[row.columns[a]] = 1;
            if (m->c.fields)
                g.field[m->c.fields[row.columns[a]]] = 1;
        }
    }
    prepared_row_free(&row);
    free(scores);
    return g;
}

/* Whether the parameter that was `before` made the step of its gradient in units of the scale. */
static int made_step(const learner *L, double before, double after, sum gradient, double l2,
                     double scale)
{
    const double tolerance = L->m.c.real == FASTFM_F32 ? 2e-5 : 2e-13;
    const double rate = L->solver.learning_rate / scale, clip = L->solver.clip;
    const double g = (gradient.value + l2 * before) / scale;
    const double expected = before - rate * fmin(fmax(g, -clip), clip);
    const double magnitude = fabs(before) + rate * (gradient.magnitude + fabs(l2 * before)) / scale;
    return fabs(after - expected) <= tolerance * magnitude;
}

/* Of the learner's model, whose wide parameters are those before. What the row does not touch
 * keeps its bits. */
static int made_steps(const learner *L, const row_gradient *g)
{
    const fastfm_model *m = &L->m.c;
    const int64_t block = model_block(m);
    int made = 1;
    for (int64_t c = 0; c < m->n_outputs; c++)
        made &= made_step(L, L->m.w0[c], get_real(m->w0, m->real, c), g->w0[c], 0, 1);
    for (int64_t j = 0; j < m->n_features * m->n_outputs; j++) {
        const int64_t feature = j / m->n_outputs;
        const double scale = L->solver.scale ? get_real(L->solver.scale, m->real, feature) : 1;
        const double unit = L->solver.l2_in_scale ? scale * scale : 1;
        const double w = get_real(m->w, m->real, j);
        made &= g->has_value[feature]
                    ? made_step(L, L->m.w[j], w, g->w[j], L->solver.l2_linear * unit, scale)
                    : same_value(w, L->m.w[j]);
        for (int64_t e = j * block; e < (j + 1) * block; e++) {
            const int is_touched =
                g->has_value[feature] && (!m->fields || g->field[e / m->n_factors % m->n_fields]);
            const double v = get_real(m->V, m->real, e);
            made &= is_touched
                        ? made_step(L, L->m.V[e], v, g->V[e], L->solver.l2_factors * unit, scale)
                        : same_value(v, L->m.V[e]);
        }
    }
    return made;
}

/* Each feature's largest |x| in a row of a positive weight, at least 1; 1 if the scale is fixed. */
static int scale_is_right(const problem *P, const learner *L)
{
    const int64_t n = L->solver.scale ? L->m.c.n_features : 0;
    double *largest = (double *)exactly(n, 8);
    int right = 1;
    for (int64_t j = 0; j < n; j++)
        largest[j] = 1;
    for (int64_t i = 0; i < P->X.n_rows && n > 0 && !L->solver.scale_is_fixed; i++) {
        prepared_row row = reference_row(&P->X, &L->m.c, i);
        for (int64_t a = 0; a < row.n; a++)
            if (!P->targets.weight || P->targets.weight[i] > 0)
                largest[row.columns[a]] = fmax(largest[row.columns[a]], fabs(row.x[a]));
        prepared_row_free(&row);
    }
    for (int64_t j = 0; j < n; j++)
        right &= same_value(get_real(L->solver.scale, L->m.c.real, j), largest[j]);
    free(largest);
    return right;
}

static void test_sgd(const matrix *rows, kind type, int with_scale,
                     fastfm_normalization normalization)
{
    problem P = problem_new(rows, type);
    fastfm_solver options = solver_of(FASTFM_SGD);
    learner L;
    int made = 1;
    CASE("SGD: fields %d, real f%d, data f%d, k %d, outputs %d, scale %d, normalization %d",
         (int)type.n_fields, (int)type_size(type.real) * 8, (int)type_size(type.data) * 8,
         (int)type.k, (int)type.n_outputs, with_scale, (int)normalization);
    P.m.c.normalization = normalization;
    options.l2_linear = random_below(2) ? 0.25 : 0;
    options.l2_factors = random_below(2) ? 0.125 : 0;
    options.clip = random_below(2) ? 0.5 : INFINITY;
    options.l2_in_scale = random_below(2) == 0;
    options.scale_is_fixed = random_below(4) == 0;
    L = learner_new(&P, &options, with_scale);
    for (int64_t i = 0; i < P.X.n_rows; i++) {
        const double weight = P.targets.weight ? P.targets.weight[i] : 1, before = L.total;
        row_gradient g;
        learner_widen(&L);
        g = find_gradient(&P, &L.m, i, weight);
        learner_pass(&L, &P, &i, 1, 1);
        CHECK(L.status == FASTFM_OK && L.solver.n_steps == i + 1);
        made &= made_steps(&L, &g);
        made &= fabs(L.total - before - g.loss) <=
                (type.real == FASTFM_F32 ? 2e-5 : 2e-13) * (before + g.loss_magnitude);
        row_gradient_free(&g);
    }
    CHECK(made);
    CHECK(scale_is_right(&P, &L));
    learner_free(&L);
    problem_free(&P);
}

void test_train_sgd(void)
{
    static const int64_t factors[] = {1, 5, 40};
    matrix mixed, large, repeated;
    random_state = 7;
    mixed = matrix_mixed_rows(80);
    large = matrix_large_values(40);
    repeated = matrix_repeated_rows(20, 40, 50, 2);
    for (int64_t i = 0; i < COUNT(factors) * 32; i++) {
        const kind type = kind_of(i % 32, factors[i / 32]);
        const fastfm_normalization second = type.n_fields ? FASTFM_INSTANCE : FASTFM_XLEARN;
        fastfm_use_level((int)(i % fastfm_n_levels()));
        test_sgd(&mixed, type, 0, FASTFM_AS_IS);
        test_sgd(&large, type, 1, FASTFM_AS_IS);
        test_sgd(&large, type, 0, FASTFM_INSTANCE);
        test_sgd(&mixed, type, 0, second);
        test_sgd(&repeated, type, 1, FASTFM_AS_IS);
        test_sgd(&repeated, type, 0, second);
    }
    matrix_free(&mixed);
    matrix_free(&large);
    matrix_free(&repeated);
}
