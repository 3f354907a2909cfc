/* Sampling by columns: groups of columns, and the hyperparameters of each.
 *
 *     lambda ~ Gamma((n + 2) / 2, rate (1 + sum (p - mu)^2 + mu^2) / 2)
 *     mu     ~ N(sum p / (n + 1), 1 / ((n + 1) lambda))              over the n columns of a group
 *     alpha  ~ Gamma((n_rows + 1) / 2, rate (1 + sum weight e^2) / 2)
 *
 * are their distributions given all else. */
#include "solvers/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_CHUNK 1024 /* columns */

void free_groups(fastfm_columns *columns)
{
    free(columns->group_order);
    free(columns->group_sizes);
    free(columns->group_chunks);
    free(columns->group_sums);
    columns->n_group_chunks = 0;
    columns->group_order = NULL;
    columns->group_sizes = NULL;
    columns->group_chunks = NULL;
    columns->group_sums = NULL;
}

/* Columns by groups: a counting sort. firsts: (n_groups + 1,) zeros; takes where each begins. */
static void sort_groups(fastfm_columns *columns, const int32_t *groups, int64_t *firsts)
{
    const int64_t n = columns->plan.n_columns;
    for (int64_t j = 0; j < n; j++)
        firsts[(groups ? groups[j] : 0) + 1]++;
    for (int64_t g = 0; g < columns->n_groups; g++) {
        columns->group_sizes[g] = firsts[g + 1];
        firsts[g + 1] += firsts[g];
    }
    for (int64_t j = 0; j < n; j++)
        columns->group_order[firsts[groups ? groups[j] : 0]++] = (int32_t)j;
}

static void cut_groups(fastfm_columns *columns)
{
    int64_t first = 0;
    for (int64_t g = 0; g < columns->n_groups; g++) {
        const int64_t end = first + columns->group_sizes[g];
        for (; first < end; first = min_i64(first + GROUP_CHUNK, end))
            columns->group_chunks[columns->n_group_chunks++] =
                (group_chunk){g, first, min_i64(first + GROUP_CHUNK, end)};
    }
}

fastfm_status fastfm_columns_set_groups(fastfm_columns *columns, const int32_t *groups,
                                        int64_t n_groups)
{
    const size_t n = (size_t)columns->plan.n_columns, stride = (size_t)columns->view.stride;
    const size_t most_chunks = n / GROUP_CHUNK + (size_t)n_groups + 1;
    const size_t per_group = 2 + 2 * stride;
    int64_t *firsts = (int64_t *)calloc((size_t)n_groups + 2, sizeof(int64_t));
    double *penalties = (double *)calloc((size_t)n_groups * per_group + 1, sizeof(double));
    free_groups(columns);
    columns->n_groups = n_groups;
    columns->n_group_chunks = 0;
    columns->group_order = (int32_t *)malloc(sizeof(int32_t) * (n + 1));
    columns->group_sizes = (int64_t *)calloc((size_t)n_groups + 1, sizeof(int64_t));
    columns->group_chunks = (group_chunk *)malloc(sizeof(group_chunk) * most_chunks);
    columns->group_sums = (double *)malloc(sizeof(double) * most_chunks * 2 * (stride + 1));
    if (!firsts || !penalties || !columns->group_order || !columns->group_sizes ||
        !columns->group_chunks || !columns->group_sums) {
        free(firsts);
        free(penalties);
        free_groups(columns);
        return FASTFM_NO_MEMORY;
    }
    sort_groups(columns, groups, firsts);
    cut_groups(columns);
    free(firsts);
    free(columns->penalties);
    columns->penalties = penalties;
    columns->view.groups = groups;
    columns->view.lambda_w = penalties;
    columns->view.mu_w = penalties + n_groups;
    columns->view.lambda_V = penalties + 2 * n_groups;
    columns->view.mu_V = penalties + (2 + (int64_t)stride) * n_groups;
    return FASTFM_OK;
}

/* Where the view's arrays of penalties are: they are const there. */
typedef struct {
    double *lambda_w, *mu_w, *lambda_V, *mu_V;
} penalty_arrays;

static penalty_arrays arrays_of(const fastfm_columns *columns)
{
    double *p = columns->penalties;
    const int64_t n = columns->n_groups, stride = columns->view.stride;
    return (penalty_arrays){p, p + n, p + 2 * n, p + (2 + stride) * n};
}

void fastfm_columns_begin_sample(fastfm_columns *columns, const fastfm_sampler *sampler)
{
    const penalty_arrays to = arrays_of(columns);
    column_view *view = &columns->view;
    for (int64_t g = 0; g < columns->n_groups; g++) {
        to.lambda_w[g] = sampler->lambda_w[g];
        to.mu_w[g] = sampler->mu_w[g];
        for (int64_t f = 0; f < view->n_factors; f++) {
            to.lambda_V[g * view->stride + f] = sampler->lambda_V[g * view->n_factors + f];
            to.mu_V[g * view->stride + f] = sampler->mu_V[g * view->n_factors + f];
        }
    }
    columns->holds_penalties = sampler->holds_penalties;
    columns->is_probit = columns->loss.kind == FASTFM_LOGISTIC;
    view->targets = columns->is_probit ? NULL : columns->plan.targets;
    view->alpha = columns->is_probit ? 1 : sampler->alpha;
    view->samples = 1;
    view->seed = sampler->seed;
    view->iteration = (uint32_t)sampler->iteration;
    view->first = 0;
    columns->has_sweep = 1;
    columns->has_phase = 0;
    columns->stage = columns->plan.is_pair ? ADDING : SCORING;
}

void fastfm_columns_read_sample(const fastfm_columns *columns, fastfm_sampler *sampler)
{
    const penalty_arrays from = arrays_of(columns);
    const column_view *view = &columns->view;
    sampler->alpha = view->alpha;
    for (int64_t g = 0; g < columns->n_groups; g++) {
        sampler->lambda_w[g] = from.lambda_w[g];
        sampler->mu_w[g] = from.mu_w[g];
        for (int64_t f = 0; f < view->n_factors; f++) {
            sampler->lambda_V[g * view->n_factors + f] = from.lambda_V[g * view->stride + f];
            sampler->mu_V[g * view->n_factors + f] = from.mu_V[g * view->stride + f];
        }
    }
}

/* Sums over a chunk of the columns of a group, of w and of each factor. */
void sweep_group_sums(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_view *view = &columns->view;
    const group_chunk chunk = columns->group_chunks[block];
    const int64_t stride = view->stride;
    const double *mu = view->mu_V + chunk.group * stride;
    double *sums = columns->group_sums + block * 2 * (stride + 1), *squares = sums + stride + 1;
    (void)thread;
    memset(sums, 0, sizeof(double) * 2 * (size_t)(stride + 1));
    for (int64_t i = chunk.first; i < chunk.end; i++) {
        const int64_t j = columns->group_order[i];
        for (int64_t f = 0; f <= stride; f++) {
            const double p = f < stride ? real_at(view->V, view->real, j * stride + f)
                                        : real_at(view->w, view->real, j);
            const double off = p - (f < stride ? mu[f] : view->mu_w[chunk.group]);
            sums[f] += p;
            squares[f] += off * off;
        }
    }
}

/* Draws lambda, and then mu, of n parameters. index: their place among all hyperparameters. */
static void draw_normal_gamma(const column_view *view, int64_t index, int64_t n, double sum,
                              double squares, double *lambda, double *mu)
{
    const random_place of_lambda = place_of_column(view, STREAM_LAMBDA, index);
    const random_place of_mu = place_of_column(view, STREAM_MU, index);
    const double count = (double)n + 1;
    *lambda = random_gamma(&of_lambda, (count + 1) / 2) * 2 / (1 + squares + *mu * *mu);
    *mu = sum / count + random_normal(&of_mu) / sqrt(count * *lambda);
}

void draw_hyperparameters(fastfm_columns *columns)
{
    const penalty_arrays arrays = arrays_of(columns);
    column_view *view = &columns->view;
    const int64_t stride = view->stride;
    const random_place place = place_of_column(view, STREAM_ALPHA, 0);
    int64_t chunk = 0;
    if (!columns->is_probit)
        view->alpha = random_gamma(&place, ((double)columns->plan.n_rows + 1) / 2) * 2 /
                      (1 + 2 * columns->loss_sum);
    if (columns->holds_penalties)
        return;
    for (int64_t g = 0; g < columns->n_groups; g++) {
        const int64_t first = chunk;
        while (chunk < columns->n_group_chunks && columns->group_chunks[chunk].group == g)
            chunk++;
        for (int64_t f = 0; f <= stride; f++) {
            double sum = 0, squares = 0;
            if (f >= view->n_factors && f < stride)
                continue;
            for (int64_t c = first; c < chunk; c++) {
                sum += columns->group_sums[c * 2 * (stride + 1) + f];
                squares += columns->group_sums[(c * 2 + 1) * (stride + 1) + f];
            }
            draw_normal_gamma(view, g * (stride + 1) + f, columns->group_sizes[g], sum, squares,
                              f < stride ? arrays.lambda_V + g * stride + f : arrays.lambda_w + g,
                              f < stride ? arrays.mu_V + g * stride + f : arrays.mu_w + g);
        }
    }
}
