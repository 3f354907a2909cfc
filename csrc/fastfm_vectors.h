/* A part of fastfm.h, which includes it: long vectors. L2, and L-BFGS, the directions of a search for the
 * minimum of a smooth function. Nothing here knows what is minimised.
 *
 *   vector  n numbers of type `real`
 *   pair    what an iteration tells of the curvature: its step s = x_new - x, and the change of the gradient
 *           y = g_new - g
 *   slot    the place of a pair
 *
 * Sums are made in double, in an order that n alone decides. */
#ifndef FASTFM_VECTORS_H
#define FASTFM_VECTORS_H

/* Sets *sum_of_squares to that of n values of type `real`, added in a fixed order. Unless grad, (n,) of the
 * same type, is NULL, also grad[i] += scale * values[i]. */
fastfm_status fastfm_l2(const void *values, fastfm_type real, int64_t n, double scale, void *grad,
                        int num_threads, double *sum_of_squares);

/* The last pairs, and the products of their vectors. The caller allocates the arrays, and sets them as it is
 * told here; from then on they belong to the functions. */
typedef struct {
    int64_t n, room; /* room: the most pairs, at least 1 */
    fastfm_type real;
    const void *weights; /* (n,) positive: H begins as gamma diag(weights). NULL: 1 each */
    void *s, *y;         /* (room, n) by slot */
    int64_t n_pairs;     /* 0 at first, and to forget all pairs */
    int64_t *order;      /* (room,) all slots: those of pairs, the oldest first, then others */
    double *sy, *yy;     /* (room, room) s_i.y_j and y_i.diag(weights) y_j, by slot */
    double *sg, *yg;     /* (room,) s_i.g and y_i.diag(weights) g of the last gradient */
    double g_squares;    /* g.diag(weights) g of the last gradient */
} fastfm_pairs;

/* Takes the end of an iteration: the pair of x, x_new, g and g_new, and the products of g_new with all pairs.
 * If there are `room` pairs, the oldest is lost. A pair without positive curvature (s.y too small, or
 * not finite) is not kept. x and x_new NULL: there is a gradient g_new, but no pair. */
fastfm_status fastfm_pairs_add(fastfm_pairs *pairs, const void *x, const void *x_new, const void *g,
                               const void *g_new, int num_threads);

/* Writes d = -H g, where g is the last g_new of fastfm_pairs_add, and sets *slope to g.d. H is the inverse
 * Hessian as the pairs have it; without pairs it is diag(weights). */
fastfm_status fastfm_pairs_direction(const fastfm_pairs *pairs, const void *g, void *d,
                                     int num_threads, double *slope);

/* Sets *product to a.b. */
fastfm_status fastfm_dot(const void *a, const void *b, fastfm_type real, int64_t n, int num_threads,
                         double *product);

/* out = x + length d, computed in double. */
void fastfm_step(const void *x, double length, const void *d, fastfm_type real, int64_t n,
                 int num_threads, void *out);

#endif
