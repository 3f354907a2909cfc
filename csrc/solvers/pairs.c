/* fastfm_pairs: what L-BFGS remembers of a search, and the directions that follow from it.
 *
 *     d = -H g      H: the BFGS matrix of the pairs (s_i, y_i), from H0 = gamma diag(weights) on
 *                   gamma = s.y / y.diag(weights) y, of the newest pair
 *
 * The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) makes d by sums over whole vectors, each of
 * which has to wait for the one before. But d is a combination of g, the s_i and the y_i, and its
 * coefficients need no more than the products of these vectors (Chen, Wang and Zhou 2014). So there are
 * two walks over memory: one makes a pair and its products with all others (fastfm_pairs_add), one makes
 * d (fastfm_pairs_direction). The recursion between them is about a few numbers (find_coefficients).
 *
 * Threads share chunks of CHUNK numbers. A chunk is read in pieces, which stay in the L1 cache while they
 * meet a piece of each other vector. Products are summed in double: eight chains a piece, then the pieces
 * of a chunk in order, then the chunks in order. So the order of additions depends on n alone. */
#include <float.h>
#include <stdlib.h>

#include "solvers/vectors.h"

/* The products of a vector with two others: the gradient, and the new y. */
typedef struct {
    double with_g, with_y;
} product;

/* One call of fastfm_pairs_add. The slots are those of the pairs, then the new one if there is one. */
typedef struct {
    const fastfm_pairs *pairs;
    const void *x, *x_new, *g, *g_new;
    int64_t n_slots;
    int has_new;
    product *sums; /* (n_chunks, 1 + 2 n_slots): of g, then of s and y of each slot */
} add_job;

/* One call of fastfm_pairs_direction. */
typedef struct {
    const fastfm_pairs *pairs;
    const void *g;
    void *d;
    const double *of_s, *of_y; /* (n_pairs,) the coefficients of d */
    double gamma;
    double *sums; /* (n_chunks,) of g.d */
} direction_job;

static void *vector_of(const fastfm_pairs *pairs, void *vectors, int64_t slot)
{
    return (char *)vectors + slot * pairs->n * (pairs->real == FASTFM_F64 ? 8 : 4);
}

/* Writes a piece of b - a to a vector, and returns it as it is rounded there. */
static const double *write_difference(void *vector, const void *a, const void *b, fastfm_type real,
                                      int64_t begin, int64_t n, double *room)
{
    double from_room[PIECE], out[PIECE];
    const double *from = read_piece(a, real, begin, n, from_room);
    const double *to = read_piece(b, real, begin, n, room);
    for (int64_t i = 0; i < n; i++)
        out[i] = to[i] - from[i];
    write_piece(vector, real, begin, n, out);
    return read_piece(vector, real, begin, n, room);
}

/* A piece of h a, of which h is NULL if all weights are 1. */
static const double *weigh_piece(const double *h, const double *a, int64_t n, double *room)
{
    for (int64_t i = 0; h && i < n; i++)
        room[i] = h[i] * a[i];
    return h ? room : a;
}

/* Twice through the L1 cache: compilers make vectors of one sum of products, and scrambled code of two. */
static void add_products(product *sums, const double *a, const double *g, const double *y,
                         int64_t n)
{
    sums->with_g += piece_product(a, g, n);
    sums->with_y += piece_product(a, y, n);
}

static void add_piece(const add_job *job, int64_t begin, int64_t n, product *sums)
{
    const fastfm_pairs *p = job->pairs;
    const int64_t new_slot = job->n_slots - 1;
    double g_room[PIECE], y_room[PIECE] = {0}, h_room[PIECE], room[PIECE], hg_room[PIECE],
                          hy_room[PIECE];
    const double *g = read_piece(job->g_new, p->real, begin, n, g_room), *y = y_room, *h = NULL;
    if (job->has_new) {
        void *s_new = vector_of(p, p->s, p->order[new_slot]);
        void *y_new = vector_of(p, p->y, p->order[new_slot]);
        write_difference(s_new, job->x, job->x_new, p->real, begin, n, room);
        y = write_difference(y_new, job->g, job->g_new, p->real, begin, n, y_room);
    }
    if (p->weights)
        h = read_piece(p->weights, p->real, begin, n, h_room);
    const double *hg = weigh_piece(h, g, n, hg_room), *hy = weigh_piece(h, y, n, hy_room);
    add_products(sums++, g, hg, hy, n);
    for (int64_t i = 0; i < job->n_slots; i++) {
        const void *s_i = vector_of(p, p->s, p->order[i]), *y_i = vector_of(p, p->y, p->order[i]);
        add_products(sums++, read_piece(s_i, p->real, begin, n, room), g, y, n);
        add_products(sums++, read_piece(y_i, p->real, begin, n, room), hg, hy, n);
    }
}

static void add_chunk(void *context, int64_t chunk, int thread)
{
    const add_job *job = (const add_job *)context;
    const int64_t end = min_i64((chunk + 1) * CHUNK, job->pairs->n);
    product *sums = job->sums + chunk * (1 + 2 * job->n_slots);
    (void)thread;
    for (int64_t begin = chunk * CHUNK; begin < end; begin += PIECE)
        add_piece(job, begin, min_i64(PIECE, end - begin), sums);
}

/* Adds up the chunks, and writes the products to their places. */
static void take_products(const add_job *job, fastfm_pairs *p)
{
    const int64_t n_sums = 1 + 2 * job->n_slots, newest = p->order[job->n_slots - job->has_new];
    for (int64_t chunk = 1; chunk < chunks_of(p->n); chunk++)
        for (int64_t i = 0; i < n_sums; i++) {
            job->sums[i].with_g += job->sums[chunk * n_sums + i].with_g;
            job->sums[i].with_y += job->sums[chunk * n_sums + i].with_y;
        }
    p->g_squares = job->sums[0].with_g;
    for (int64_t i = 0; i < job->n_slots; i++) {
        const int64_t slot = p->order[i];
        const product of_s = job->sums[1 + 2 * i], of_y = job->sums[2 + 2 * i];
        p->sg[slot] = of_s.with_g, p->yg[slot] = of_y.with_g;
        if (job->has_new) {
            p->sy[slot * p->room + newest] = of_s.with_y;
            p->yy[slot * p->room + newest] = p->yy[newest * p->room + slot] = of_y.with_y;
        }
    }
}

/* The oldest pair gives its slot to a new one: `order` begins with the slots of pairs, the oldest first. */
static void make_room(fastfm_pairs *p)
{
    const int64_t oldest = p->order[0];
    if (p->n_pairs < p->room)
        return;
    for (int64_t i = 1; i < p->room; i++)
        p->order[i - 1] = p->order[i];
    p->order[--p->n_pairs] = oldest;
}

fastfm_status fastfm_pairs_add(fastfm_pairs *p, const void *x, const void *x_new, const void *g,
                               const void *g_new, int num_threads)
{
    add_job job = {p, x, x_new, g, g_new, p->n_pairs, x != NULL, NULL};
    if (job.has_new)
        job.n_slots = min_i64(p->n_pairs, p->room - 1) + 1;
    job.sums = (product *)calloc(
        (size_t)max_i64(chunks_of(p->n), 1) * (size_t)(1 + 2 * job.n_slots), sizeof(product));
    if (!job.sums)
        return FASTFM_NO_MEMORY;
    if (job.has_new)
        make_room(p);
    parallel_for(chunks_of(p->n), add_chunk, &job,
                 parallel_threads(num_threads, (double)p->n * (double)(2 + 4 * job.n_slots)));
    take_products(&job, p);
    if (job.has_new) {
        const int64_t at = p->order[p->n_pairs] * (p->room + 1);
        p->n_pairs += p->sy[at] > DBL_EPSILON * p->yy[at] && p->sy[at] <= DBL_MAX;
    }
    free(job.sums);
    return FASTFM_OK;
}

/* The two-loop recursion, about coefficients instead of vectors:
 *
 *     q = g + sum_i of_y_i y_i            after the first loop
 *     H g = gamma h q + sum_i of_s_i s_i  after the second one */
static double find_coefficients(const fastfm_pairs *p, double *of_s, double *of_y)
{
    const int64_t m = p->n_pairs, room = p->room, *slot = p->order;
    double gamma = 1;
    for (int64_t i = m - 1; i >= 0; i--) {
        double s_q = p->sg[slot[i]];
        for (int64_t j = i + 1; j < m; j++)
            s_q += of_y[j] * p->sy[slot[i] * room + slot[j]];
        of_y[i] = -s_q / p->sy[slot[i] * (room + 1)];
    }
    if (m)
        gamma = p->sy[slot[m - 1] * (room + 1)] / p->yy[slot[m - 1] * (room + 1)];
    for (int64_t i = 0; i < m; i++) {
        double y_q = p->yg[slot[i]], y_r = 0;
        for (int64_t j = 0; j < m; j++)
            y_q += of_y[j] * p->yy[slot[i] * room + slot[j]];
        for (int64_t j = 0; j < i; j++)
            y_r += of_s[j] * p->sy[slot[j] * room + slot[i]];
        of_s[i] = -of_y[i] - (gamma * y_q + y_r) / p->sy[slot[i] * (room + 1)];
    }
    return gamma;
}

static double direct_piece(const direction_job *job, int64_t begin, int64_t n)
{
    const fastfm_pairs *p = job->pairs;
    double g_room[PIECE], room[PIECE], d[PIECE];
    const double *g = read_piece(job->g, p->real, begin, n, g_room);
    for (int64_t i = 0; i < n; i++)
        d[i] = -g[i];
    for (int64_t j = 0; j < p->n_pairs; j++)
        add_scaled(d, -job->of_y[j], vector_of(p, p->y, p->order[j]), p->real, begin, n);
    if (p->weights) {
        const double *h = read_piece(p->weights, p->real, begin, n, room);
        for (int64_t i = 0; i < n; i++)
            d[i] *= h[i];
    }
    for (int64_t i = 0; i < n; i++)
        d[i] *= job->gamma;
    for (int64_t j = 0; j < p->n_pairs; j++)
        add_scaled(d, -job->of_s[j], vector_of(p, p->s, p->order[j]), p->real, begin, n);
    write_piece(job->d, p->real, begin, n, d);
    return piece_product(g, read_piece(job->d, p->real, begin, n, room), n);
}

static void direct_chunk(void *context, int64_t chunk, int thread)
{
    const direction_job *job = (const direction_job *)context;
    const int64_t end = min_i64((chunk + 1) * CHUNK, job->pairs->n);
    (void)thread;
    for (int64_t begin = chunk * CHUNK; begin < end; begin += PIECE)
        job->sums[chunk] += direct_piece(job, begin, min_i64(PIECE, end - begin));
}

fastfm_status fastfm_pairs_direction(const fastfm_pairs *p, const void *g, void *d, int num_threads,
                                     double *slope)
{
    const int64_t n_chunks = chunks_of(p->n);
    double *room = (double *)calloc((size_t)(n_chunks + 2 * p->n_pairs + 1), sizeof(double));
    double *of_s = room + n_chunks, *of_y = of_s + p->n_pairs;
    *slope = 0;
    if (!room)
        return FASTFM_NO_MEMORY;
    direction_job job = {p, g, d, of_s, of_y, find_coefficients(p, of_s, of_y), room};
    parallel_for(n_chunks, direct_chunk, &job,
                 parallel_threads(num_threads, (double)p->n * (double)(3 + 2 * p->n_pairs)));
    for (int64_t chunk = 0; chunk < n_chunks; chunk++)
        *slope += job.sums[chunk];
    free(room);
    return FASTFM_OK;
}
