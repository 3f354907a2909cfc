/* update: the rules, one parameter like the next, so that plain loops vectorise and every
 * instruction set gives the same bits. With g the gradient of a batch plus its L2 term, in units of
 * the scale:
 *
 *     SGD      p -= lr g
 *     AdaGrad  G += g^2;  p -= lr g / sqrt(G)               (Duchi et al. 2011)
 *     Adam     m += (1 - b1)(g - m);  v += (1 - b2)(g^2 - v);
 *              p -= lr_t m / (sqrt(v) + eps),               (Kingma and Ba 2015, sec. 2)
 *              lr_t as for step t
 *     FTRL     z += g - (sqrt(n + g^2) - sqrt(n)) / lr p;  n += g^2;
 *              p = |z| <= l1 ? 0 : -(z - sign(z) l1) / ((b + sqrt(n)) / lr + l2)
 *                                                           (McMahan et al. 2013, algorithm 1)
 */

/* g in units of the scale, and kept from being larger than clip. */
FORCE_INLINE REAL NAME(scaled_gradient)(REAL g, REAL inverse, REAL clip)
{
    const REAL scaled = g * inverse;
    return scaled > clip ? clip : scaled < -clip ? -clip : scaled;
}

/* A parameter and its state take their new values if these are finite. */
#define IS_FINITE(x) ((x) - (x) == 0)
#define ACCEPT(ok, old, new) ((ok) ? (new) : (old))

static int NAME(update_sgd)(const fastfm_solver *solver, const update_terms *terms, int64_t n,
                            REAL *RESTRICT p, const REAL *RESTRICT gradients)
{
    const REAL l2 = (REAL)terms->l2, inverse = (REAL)terms->inverse;
    const REAL rate = (REAL)(solver->learning_rate * terms->inverse), clip = (REAL)solver->clip;
    const REAL times = (REAL)terms->times;
    int bad = 0;
    for (int64_t f = 0; f < n; f++) {
        const REAL g = NAME(scaled_gradient)(times * gradients[f] + l2 * p[f], inverse, clip);
        const REAL next = p[f] - rate * g;
        const int ok = IS_FINITE(next);
        p[f] = ACCEPT(ok, p[f], next);
        bad |= !ok;
    }
    return !bad;
}

static int NAME(update_adagrad)(const fastfm_solver *solver, const update_terms *terms, int64_t n,
                                REAL *RESTRICT p, REAL *RESTRICT squares,
                                const REAL *RESTRICT gradients)
{
    const REAL l2 = (REAL)terms->l2, inverse = (REAL)terms->inverse;
    const REAL rate = (REAL)(solver->learning_rate * terms->inverse), clip = (REAL)solver->clip;
    const REAL times = (REAL)terms->times;
    int bad = 0;
    for (int64_t f = 0; f < n; f++) {
        const REAL g = NAME(scaled_gradient)(times * gradients[f] + l2 * p[f], inverse, clip);
        const REAL sum = squares[f] + g * g;
        const REAL next = p[f] - rate * (g / SQRT(sum));
        const int ok = IS_FINITE(next) & IS_FINITE(sum);
        squares[f] = ACCEPT(ok, squares[f], sum);
        p[f] = ACCEPT(ok, p[f], next);
        bad |= !ok;
    }
    return !bad;
}

static int NAME(update_adam)(const fastfm_solver *solver, const update_terms *terms, int64_t n,
                             REAL *RESTRICT p, REAL *RESTRICT means, REAL *RESTRICT squares,
                             const REAL *RESTRICT gradients)
{
    const REAL l2 = (REAL)terms->l2, inverse = (REAL)terms->inverse;
    const REAL rate = (REAL)(solver->learning_rate * terms->inverse), clip = (REAL)solver->clip;
    const REAL times = (REAL)terms->times;
    const REAL new1 = (REAL)(1 - solver->beta1), new2 = (REAL)(1 - solver->beta2);
    const REAL epsilon = (REAL)solver->epsilon;
    int bad = 0;
    for (int64_t f = 0; f < n; f++) {
        const REAL g = NAME(scaled_gradient)(times * gradients[f] + l2 * p[f], inverse, clip);
        const REAL mean = means[f] + new1 * (g - means[f]);
        const REAL square = squares[f] + new2 * (g * g - squares[f]);
        const REAL next = p[f] - rate * (mean / (SQRT(square) + epsilon));
        const int ok = IS_FINITE(next) & IS_FINITE(square);
        means[f] = ACCEPT(ok, means[f], mean);
        squares[f] = ACCEPT(ok, squares[f], square);
        p[f] = ACCEPT(ok, p[f], next);
        bad |= !ok;
    }
    return !bad;
}

static int NAME(update_ftrl)(const fastfm_solver *solver, const update_terms *terms, int64_t n,
                             REAL *RESTRICT p, REAL *RESTRICT zs, REAL *RESTRICT squares,
                             const REAL *RESTRICT gradients)
{
    const REAL l1 = (REAL)terms->l1, l2 = (REAL)terms->l2;
    const REAL rate = (REAL)solver->learning_rate, clip = (REAL)solver->clip;
    const REAL times = (REAL)terms->times;
    const REAL beta = (REAL)solver->beta1;
    int bad = 0;
    for (int64_t f = 0; f < n; f++) {
        const REAL g = NAME(scaled_gradient)(times * gradients[f], 1, clip);
        const REAL sum = squares[f] + g * g;
        const REAL root = SQRT(sum);
        const REAL z = zs[f] + g - (root - SQRT(squares[f])) / rate * p[f];
        const REAL beyond = z > l1 ? z - l1 : z < -l1 ? z + l1 : 0;
        const REAL next = -beyond / ((beta + root) / rate + l2);
        const int ok = IS_FINITE(next) & IS_FINITE(sum) & IS_FINITE(z);
        zs[f] = ACCEPT(ok, zs[f], z);
        squares[f] = ACCEPT(ok, squares[f], sum);
        p[f] = ACCEPT(ok, p[f], next);
        bad |= !ok;
    }
    return !bad;
}

static int NAME(update)(const fastfm_solver *solver, const update_terms *terms, int64_t n,
                        void *parameters, void *state0, void *state1, const void *gradients)
{
    REAL *p = (REAL *)parameters;
    const REAL *g = (const REAL *)gradients;
    switch (solver->rule) {
    case FASTFM_SGD:
        return NAME(update_sgd)(solver, terms, n, p, g);
    case FASTFM_ADAGRAD:
        return NAME(update_adagrad)(solver, terms, n, p, (REAL *)state0, g);
    case FASTFM_ADAM:
        return NAME(update_adam)(solver, terms, n, p, (REAL *)state0, (REAL *)state1, g);
    default:
        return NAME(update_ftrl)(solver, terms, n, p, (REAL *)state0, (REAL *)state1, g);
    }
}
#undef ACCEPT
#undef IS_FINITE
