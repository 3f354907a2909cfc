/* update: the rules. With g the gradient of a batch plus its L2 term, in units of the scale:
 *
 *     SGD      p -= lr g
 *     AdaGrad  G += g^2;  p -= lr g / sqrt(G)               (Duchi et al. 2011)
 *     Adam     m += (1 - b1)(g - m);  v += (1 - b2)(g^2 - v);
 *              p -= lr_t m / (sqrt(v) + eps),               (Kingma and Ba 2015, sec. 2)
 *              lr_t as for step t
 *     FTRL     z += g - (sqrt(n + g^2) - sqrt(n)) / lr p;  n += g^2;
 *              p = |z| <= l1 ? 0 : -(z - sign(z) l1) / ((b + sqrt(n)) / lr + l2)
 *                                                           (McMahan et al. 2013, algorithm 1)
 *
 * Each is written for one parameter, and so that plain loops over it vectorise and every instruction
 * set gives the same bits. */

/* A solver in the model's type, and what the parameters of one feature share. */
typedef struct {
    REAL clip, new1, new2, epsilon, beta, l1;
    REAL l2, inverse, rate; /* set_terms */
} NAME(rule);

static NAME(rule) NAME(rule_of)(const fastfm_solver *solver, double l1)
{
    const NAME(rule) rule = {.clip = (REAL)solver->clip,
                             .new1 = (REAL)(1 - solver->beta1),
                             .new2 = (REAL)(1 - solver->beta2),
                             .epsilon = (REAL)solver->epsilon,
                             .beta = (REAL)solver->beta1,
                             .l1 = (REAL)l1};
    return rule;
}

FORCE_INLINE void NAME(set_terms)(NAME(rule) * rule, const fastfm_solver *solver, double l2,
                                  double inverse)
{
    rule->l2 = (REAL)l2;
    rule->inverse = (REAL)inverse;
    rule->rate = (REAL)(solver->learning_rate * inverse);
}

/* g in units of the scale, and kept from being larger than clip. */
FORCE_INLINE REAL NAME(scaled_gradient)(REAL g, REAL inverse, REAL clip)
{
    const REAL scaled = g * inverse, below = clip < scaled ? clip : scaled;
    return -clip > below ? -clip : below;
}

/* A parameter and its state take their new values if these are finite. Chosen by bits: of `ok ? new :
 * old` compilers make masked stores, which are slow. */
#define IS_ZERO_IF_FINITE(x) ((x) - (x))
FORCE_INLINE REAL NAME(accept)(int ok, REAL old, REAL new)
{
    const REAL_BITS mask = (REAL_BITS)0 - (REAL_BITS)ok;
    REAL_BITS old_bits, new_bits;
    REAL accepted;
    memcpy(&old_bits, &old, sizeof old);
    memcpy(&new_bits, &new, sizeof new);
    new_bits = (new_bits & mask) | (old_bits & ~mask);
    memcpy(&accepted, &new_bits, sizeof accepted);
    return accepted;
}

FORCE_INLINE int NAME(sgd)(const NAME(rule) * rule, REAL *p, REAL *unused, REAL *unused1, REAL g,
                           REAL l2, REAL inverse, REAL rate)
{
    const REAL old = *p;
    const REAL next = old - rate * NAME(scaled_gradient)(g + l2 * old, inverse, rule->clip);
    const int ok = IS_ZERO_IF_FINITE(next) == 0;
    (void)unused, (void)unused1;
    *p = NAME(accept)(ok, old, next);
    return !ok;
}

FORCE_INLINE int NAME(adagrad)(const NAME(rule) * rule, REAL *p, REAL *squares, REAL *unused,
                               REAL g, REAL l2, REAL inverse, REAL rate)
{
    const REAL old = *p, old_sum = *squares;
    const REAL scaled = NAME(scaled_gradient)(g + l2 * old, inverse, rule->clip);
    const REAL sum = old_sum + scaled * scaled;
    const REAL next = old - rate * (scaled / SQRT(sum));
    const int ok = IS_ZERO_IF_FINITE(next) + IS_ZERO_IF_FINITE(sum) == 0;
    (void)unused;
    *squares = NAME(accept)(ok, old_sum, sum);
    *p = NAME(accept)(ok, old, next);
    return !ok;
}

FORCE_INLINE int NAME(adam)(const NAME(rule) * rule, REAL *p, REAL *means, REAL *squares, REAL g,
                            REAL l2, REAL inverse, REAL rate)
{
    const REAL old = *p, old_mean = *means, old_square = *squares;
    const REAL scaled = NAME(scaled_gradient)(g + l2 * old, inverse, rule->clip);
    const REAL mean = old_mean + rule->new1 * (scaled - old_mean);
    const REAL square = old_square + rule->new2 * (scaled * scaled - old_square);
    const REAL next = old - rate * (mean / (SQRT(square) + rule->epsilon));
    const int ok = IS_ZERO_IF_FINITE(next) + IS_ZERO_IF_FINITE(square) == 0;
    *means = NAME(accept)(ok, old_mean, mean);
    *squares = NAME(accept)(ok, old_square, square);
    *p = NAME(accept)(ok, old, next);
    return !ok;
}

FORCE_INLINE int NAME(ftrl)(const NAME(rule) * rule, REAL *p, REAL *zs, REAL *squares, REAL g,
                            REAL l2, REAL inverse, REAL rate)
{
    const REAL old = *p, old_z = *zs, old_sum = *squares, l1 = rule->l1;
    const REAL clipped = NAME(scaled_gradient)(g, inverse, rule->clip);
    const REAL sum = old_sum + clipped * clipped;
    const REAL root = SQRT(sum);
    const REAL z = old_z + clipped - (root - SQRT(old_sum)) / rate * old;
    const REAL beyond = z > l1 ? z - l1 : z < -l1 ? z + l1 : 0;
    const REAL next = -beyond / ((rule->beta + root) / rate + l2);
    const int ok = IS_ZERO_IF_FINITE(next) + IS_ZERO_IF_FINITE(sum) + IS_ZERO_IF_FINITE(z) == 0;
    *zs = NAME(accept)(ok, old_z, z);
    *squares = NAME(accept)(ok, old_sum, sum);
    *p = NAME(accept)(ok, old, next);
    return !ok;
}
#undef IS_ZERO_IF_FINITE

/* Of a gradient, which takes what is not finite, too. */
FORCE_INLINE int NAME(sum)(const NAME(rule) * rule, REAL *p, REAL *unused, REAL *unused1, REAL g,
                           REAL l2, REAL inverse, REAL rate)
{
    (void)rule, (void)unused, (void)unused1, (void)l2, (void)inverse, (void)rate;
    *p += g;
    return 0;
}

/* Parameters of different features, each with its own terms. */
typedef struct {
    REAL p[UPDATE_WIDTH], state0[UPDATE_WIDTH], state1[UPDATE_WIDTH], g[UPDATE_WIDTH];
    REAL l2[UPDATE_WIDTH], inverse[UPDATE_WIDTH], rate[UPDATE_WIDTH];
} NAME(update_terms);

#define RULE sgd
#define RULE_STATES 0
#include "kernels/update/rule_loops.inc.h"
#define RULE adagrad
#define RULE_STATES 1
#include "kernels/update/rule_loops.inc.h"
#define RULE adam
#define RULE_STATES 2
#include "kernels/update/rule_loops.inc.h"
#define RULE ftrl
#define RULE_STATES 2
#include "kernels/update/rule_loops.inc.h"
#define RULE sum
#define RULE_STATES 0
#include "kernels/update/rule_loops.inc.h"

/* Calls CALL(<rule>) for the solver's rule. */
#define RULE_OF(solver, CALL) \
    switch ((solver)->rule) { \
    case FASTFM_SGD:          \
        return CALL(sgd);     \
    case FASTFM_ADAGRAD:      \
        return CALL(adagrad); \
    case FASTFM_ADAM:         \
        return CALL(adam);    \
    case FASTFM_FTRL:         \
        return CALL(ftrl);    \
    default:                  \
        return CALL(sum);     \
    }

/* n parameters that share all terms. state: of these parameters. */
static int NAME(update_run)(const fastfm_solver *solver, const NAME(rule) * rule, int64_t n,
                            REAL *p, REAL *state0, REAL *state1, const REAL *g)
{
#define UPDATE(name) NAME(CONCAT(name, _run))(rule, n, p, state0, state1, g)
    RULE_OF(solver, UPDATE)
#undef UPDATE
}

static int NAME(update_each)(const fastfm_solver *solver, const NAME(rule) * rule,
                             NAME(update_terms) * each)
{
#define UPDATE(name) NAME(CONCAT(name, _each))(rule, each)
    RULE_OF(solver, UPDATE)
#undef UPDATE
}
#undef RULE_OF

static int NAME(update)(const fastfm_solver *solver, int64_t n, void *parameters, void *state0,
                        void *state1, const void *gradients)
{
    NAME(rule) rule = NAME(rule_of)(solver, 0);
    NAME(set_terms)(&rule, solver, 0, 1);
    return NAME(update_run)(solver, &rule, n, (REAL *)parameters, (REAL *)state0, (REAL *)state1,
                            (const REAL *)gradients);
}
