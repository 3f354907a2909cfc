/* L-BFGS: directions against the two-loop recursion in its plain form, whatever the length of vectors, the
 * number of pairs and of threads; arrays of exactly their size. */
#include <math.h>
#include <stdlib.h>

#include "tests.h"

enum { ROOM = 3, N_ITERATIONS = 5 };

/* A search along random points of a convex function, (N_ITERATIONS + 1, n) by iteration. */
typedef struct {
    int64_t n;
    fastfm_type real;
    void *x[N_ITERATIONS + 1], *g[N_ITERATIONS + 1], *weights;
} walk;

static walk walk_new(int64_t n, fastfm_type real)
{
    walk W = {n, real, {NULL}, {NULL}, exactly(n, type_size(real))};
    for (int64_t i = 0; i < n; i++)
        set_real(W.weights, real, i, 1.5 + random_real());
    for (int t = 0; t <= N_ITERATIONS; t++) {
        W.x[t] = exactly(n, type_size(real)), W.g[t] = exactly(n, type_size(real));
        for (int64_t i = 0; i < n; i++) {
            set_real(W.x[t], real, i, random_real());
            set_real(W.g[t], real, i, (1 + (double)(i % 7)) * get_real(W.x[t], real, i));
        }
    }
    return W;
}

static void walk_free(walk *W)
{
    for (int t = 0; t <= N_ITERATIONS; t++)
        free(W->x[t]), free(W->g[t]);
    free(W->weights);
}

static fastfm_pairs pairs_new(const walk *W, int is_weighted)
{
    fastfm_pairs p = {.n = W->n, .room = ROOM, .real = W->real};
    p.weights = is_weighted ? W->weights : NULL;
    p.s = exactly(ROOM * W->n, type_size(W->real)), p.y = exactly(ROOM * W->n, type_size(W->real));
    p.order = (int64_t *)exactly(ROOM, 8);
    p.sy = (double *)exactly(ROOM * ROOM, 8), p.yy = (double *)exactly(ROOM * ROOM, 8);
    p.sg = (double *)exactly(ROOM, 8), p.yg = (double *)exactly(ROOM, 8);
    for (int64_t i = 0; i < ROOM; i++)
        p.order[i] = (i + 1) % ROOM; /* any order */
    return p;
}

static void pairs_free(fastfm_pairs *p)
{
    free(p->s), free(p->y), free(p->order);
    free(p->sy), free(p->yy), free(p->sg), free(p->yg);
}

static double plain_dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Algorithm 7.4 of Nocedal and Wright 2006 for the last `m` iterations up to `end`; d is -H g. */
static void plain_direction(const walk *W, int end, int m, int is_weighted, double *d)
{
    const int64_t n = W->n;
    double *s = (double *)exactly(m * n, 8), *y = (double *)exactly(m * n, 8), alpha[N_ITERATIONS];
    double gamma = 1;
    for (int64_t i = 0; i < n; i++) {
        d[i] = -get_real(W->g[end], W->real, i);
        for (int j = 0, t = end - m; j < m; j++, t++) {
            s[j * n + i] = get_real(W->x[t + 1], W->real, i) - get_real(W->x[t], W->real, i);
            y[j * n + i] = get_real(W->g[t + 1], W->real, i) - get_real(W->g[t], W->real, i);
        }
    }
    for (int j = m - 1; j >= 0; j--) {
        alpha[j] = plain_dot(s + j * n, d, n) / plain_dot(s + j * n, y + j * n, n);
        for (int64_t i = 0; i < n; i++)
            d[i] -= alpha[j] * y[j * n + i];
    }
    if (m) {
        double yy = 0;
        for (int64_t i = 0; i < n; i++)
            yy += y[(m - 1) * n + i] * y[(m - 1) * n + i] *
                  (is_weighted ? get_real(W->weights, W->real, i) : 1);
        gamma = plain_dot(s + (m - 1) * n, y + (m - 1) * n, n) / yy;
    }
    for (int64_t i = 0; i < n; i++)
        d[i] *= gamma * (is_weighted ? get_real(W->weights, W->real, i) : 1);
    for (int j = 0; j < m; j++) {
        const double beta = plain_dot(y + j * n, d, n) / plain_dot(s + j * n, y + j * n, n);
        for (int64_t i = 0; i < n; i++)
            d[i] += (alpha[j] - beta) * s[j * n + i];
    }
    free(s), free(y);
}

static void check_direction(const walk *W, const fastfm_pairs *p, int end, int num_threads)
{
    const int64_t bytes = W->n * type_size(W->real);
    void *d = exactly(W->n, type_size(W->real)), *alone = exactly(W->n, type_size(W->real));
    double *expected = (double *)exactly(W->n, 8), slope, slope_alone, largest = 0, error = 0;
    CHECK(fastfm_pairs_direction(p, W->g[end], d, num_threads, &slope) == FASTFM_OK);
    CHECK(fastfm_pairs_direction(p, W->g[end], alone, 1, &slope_alone) == FASTFM_OK);
    CHECK(same_bytes(d, alone, bytes) && same_bytes(&slope, &slope_alone, 8));
    plain_direction(W, end, (int)p->n_pairs, p->weights != NULL, expected);
    for (int64_t i = 0; i < W->n; i++) {
        largest = fmax(largest, fabs(expected[i]));
        error = fmax(error, fabs(get_real(d, W->real, i) - expected[i]));
    }
    CHECK(error <= (W->real == FASTFM_F32 ? 1e-5 : 1e-12) * largest);
    CHECK(slope <= 0);
    free(d), free(alone), free(expected);
}

static void test_walk(int64_t n, fastfm_type real, int is_weighted, int num_threads)
{
    walk W = walk_new(n, real);
    fastfm_pairs p = pairs_new(&W, is_weighted);
    CASE("pairs: n %d, type %d, weighted %d, %d threads", (int)n, (int)real, is_weighted,
         num_threads);
    CHECK(fastfm_pairs_add(&p, NULL, NULL, NULL, W.g[0], num_threads) == FASTFM_OK);
    check_direction(&W, &p, 0, num_threads);
    for (int t = 0; t < N_ITERATIONS; t++) {
        CHECK(fastfm_pairs_add(&p, W.x[t], W.x[t + 1], W.g[t], W.g[t + 1], num_threads) ==
              FASTFM_OK);
        CHECK(p.n_pairs == (n == 0 ? 0 : t + 1 < ROOM ? t + 1 : ROOM));
        check_direction(&W, &p, t + 1, num_threads);
    }
    pairs_free(&p);
    walk_free(&W);
}

/* A pair whose gradient goes the wrong way, or nowhere, is not kept. */
static void test_curvature(void)
{
    walk W = walk_new(100, FASTFM_F64);
    fastfm_pairs p = pairs_new(&W, 0);
    double *bad = (double *)exactly(100, 8);
    static const double turn[] = {0, -1, NAN, INFINITY};
    CASE("pairs: no curvature");
    for (int k = 0; k < (int)COUNT(turn); k++) {
        for (int64_t i = 0; i < 100; i++)
            bad[i] = get_real(W.g[0], FASTFM_F64, i) +
                     turn[k] * (get_real(W.g[1], FASTFM_F64, i) - get_real(W.g[0], FASTFM_F64, i));
        CHECK(fastfm_pairs_add(&p, W.x[0], W.x[1], W.g[0], bad, 1) == FASTFM_OK);
        CHECK(p.n_pairs == 0);
    }
    free(bad);
    pairs_free(&p);
    walk_free(&W);
}

/* Whole numbers, whose sums are exact in any order. */
static void test_dot_and_step(int64_t n, fastfm_type real)
{
    void *a = exactly(n, type_size(real)), *b = exactly(n, type_size(real));
    void *out = exactly(n, type_size(real));
    double product, expected = 0;
    int n_wrong = 0;
    CASE("dot and step: n %d, type %d", (int)n, (int)real);
    for (int64_t i = 0; i < n; i++) {
        set_real(a, real, i, (double)(i % 11 - 5)), set_real(b, real, i, (double)(i % 7 - 2));
        expected += (double)(i % 11 - 5) * (double)(i % 7 - 2);
    }
    for (int num_threads = 1; num_threads <= 3; num_threads += 2) {
        CHECK(fastfm_dot(a, b, real, n, num_threads, &product) == FASTFM_OK);
        CHECK(same_value(product, expected));
        fastfm_step(a, 0.5, b, real, n, num_threads, out);
        for (int64_t i = 0; i < n; i++)
            n_wrong += !same_value(get_real(out, real, i),
                                   (double)(i % 11 - 5) + 0.5 * (double)(i % 7 - 2));
        CHECK(n_wrong == 0);
    }
    free(a), free(b), free(out);
}

void test_pairs(void)
{
    static const int64_t sizes[] = {0, 1, 7, 8, 9, 512, 515, 16384, 16391, 60000};
    random_state = 12;
    for (int size = 0; size < (int)COUNT(sizes); size++)
        for (int real = FASTFM_F32; real <= FASTFM_F64; real++) {
            test_dot_and_step(sizes[size], (fastfm_type)real);
            for (int is_weighted = 0; is_weighted < 2; is_weighted++)
                test_walk(sizes[size], (fastfm_type)real, is_weighted, 1 + 2 * is_weighted);
        }
    test_curvature();
}
