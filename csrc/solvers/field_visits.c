/* One visit of a column of an FFM (field_visits.h). */
#include "solvers/field_visits.h"

#include <math.h>
#include <string.h>

/* Of the largest curvature: a penalty on the step that makes the nearest of many minima the only one. */
#define TINY 0x1p-44

void add_cell(const field_view *view, quadratic *sum, int64_t cell, int64_t other)
{
    const double *h = view->sums + other * view->k + view->first;
    const double c = view->curvatures[cell] * sum->x * sum->x;
    const double e = (view->slopes[cell] + view->curvatures[cell] * view->steps[cell]) * sum->x;
    for (int64_t f = 0; f < view->width; f++) {
        const double ch = c * h[f];
        for (int64_t d = 0; d <= f; d++)
            sum->A[f][d] += ch * h[d];
        sum->g[f] += e * h[f];
    }
}

void step_cell(const field_view *view, const double *step, double x, int64_t cell, int64_t other)
{
    const double *h = view->sums + other * view->k + view->first;
    double move = 0;
    for (int64_t f = 0; f < view->width; f++)
        move += step[f] * h[f];
    view->steps[cell] += x * move;
}

/* Goes over the cells of a kind: adds them to `sum`, or, with a step, moves them. */
static void visit_kind(const field_view *view, int64_t kind, quadratic *sum, const double *step,
                       double x)
{
    const field_kinds *rows = view->by_rows;
    if (rows) {
        for (int64_t at = rows->begins[kind]; at < rows->begins[kind + 1]; at++) {
            const int64_t i = rows->rows[at], other = view->other_of[i];
            if (other && step)
                step_cell(view, step, x, i, other);
            else if (other)
                add_cell(view, sum, i, other);
        }
        return;
    }
    for (int64_t other = 0; other < view->n_others; other++) {
        const int64_t cell = kind * view->kind_step + other * view->other_step;
        if (view->curvatures[cell] == 0)
            continue;
        if (step)
            step_cell(view, step, x, cell, other);
        else
            add_cell(view, sum, cell, other);
    }
}

/* The step to the minimum of g step + step (A + lambda) step / 2, over g: by L D L'. g holds the penalty's
 * slope. */
static void solve(quadratic *q, int64_t n, double lambda)
{
    double largest = 0, tiny;
    for (int64_t f = 0; f < n; f++)
        largest = fmax(largest, q->A[f][f] + lambda);
    if (!(largest > 0)) {
        memset(q->g, 0, sizeof q->g);
        return;
    }
    tiny = TINY * largest + lambda;
    for (int64_t f = 0; f < n; f++) {
        q->A[f][f] += tiny;
        for (int64_t d = 0; d < f; d++) { /* A[f][d] becomes L D, then L */
            for (int64_t l = 0; l < d; l++)
                q->A[f][d] -= q->A[f][l] * q->A[d][l] * q->A[l][l];
            q->A[f][d] /= q->A[d][d];
        }
        for (int64_t l = 0; l < f; l++)
            q->A[f][f] -= q->A[f][l] * q->A[f][l] * q->A[l][l];
        for (int64_t l = 0; l < f; l++)
            q->g[f] -= q->A[f][l] * q->g[l];
    }
    for (int64_t f = n - 1; f >= 0; f--) {
        q->g[f] = -q->g[f] / q->A[f][f];
        for (int64_t l = f + 1; l < n; l++)
            q->g[f] -= q->A[l][f] * q->g[l];
    }
}

void take_step(const field_view *view, quadratic *q, void *parameters, int64_t at, double lambda)
{
    const fastfm_type real = view->columns->model.real;
    for (int64_t f = 0; f < view->width; f++)
        q->g[f] += lambda * real_at(parameters, real, at + f);
    solve(q, view->width, lambda);
    for (int64_t f = 0; f < view->width; f++) {
        const double before = real_at(parameters, real, at + f);
        set_real(parameters, real, at + f, before + q->g[f]);
        q->g[f] = real_at(parameters, real, at + f) - before;
    }
}

void visit_column(field_view *view, int64_t column, void *parameters, int64_t at, double lambda)
{
    const kind_plan *plan = &view->columns->plan;
    for (view->first = 0; view->first < view->k; view->first += FIELD_BLOCK) {
        quadratic q;
        memset(&q, 0, sizeof q);
        view->width = min_i64(view->k - view->first, FIELD_BLOCK);
        for (int64_t t = plan->begins[column]; t < plan->begins[column + 1]; t++) {
            q.x = plan->values[t];
            visit_kind(view, plan->kinds[t], &q, NULL, 0);
        }
        take_step(view, &q, parameters, at + view->first, lambda);
        for (int64_t t = plan->begins[column]; t < plan->begins[column + 1]; t++)
            visit_kind(view, plan->kinds[t], NULL, q.g, plan->values[t]);
    }
}
