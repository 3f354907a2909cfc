/* The update rules, each written for one parameter.
 *
 * With g the gradient of a batch plus its L2 term, in units of the scale, and lr the learning rate:
 *
 *     SGD      p -= lr g
 *     AdaGrad  G += g^2;  p -= lr g / sqrt(G)               (Duchi et al. 2011)
 *     Adam     m += (1 - b1)(g - m);  v += (1 - b2)(g^2 - v);
 *              p -= lr_t m / (sqrt(v) + eps),               (Kingma and Ba 2015, sec. 2)
 *              lr_t as for step t, which the driver has put into solver->learning_rate
 *     FTRL     z += g - (sqrt(n + g^2) - sqrt(n)) / lr p;  n += g^2;
 *              p = |z| <= l1 ? 0 : -(z - sign(z) l1) / ((beta + sqrt(n)) / lr + l2)
 *                                                           (McMahan et al. 2013, algorithm 1)
 *              In units of the scale p is p * scale, l1 is l1 / scale and l2 is l2 / scale^2: the
 *              penalties are those of the parameter itself.
 *
 * Parameters of a rule's function:
 *   rule           constants of the solver (NAME(rule))
 *   p              the parameter; changed
 *   state0/state1  its optimiser state; changed; NULL where FASTFM_RULE_LIST gives the rule fewer
 *   g              its gradient, summed over the batch
 *   l2             its L2 penalty, times the rows that add it
 *   inverse_scale  1 / the largest |x| of its feature so far, or 1
 *   scaled_rate    lr * inverse_scale
 * Returns whether all new values are finite. If not, p and its state keep their old values.
 *
 * Template parameters: REAL, REAL_BITS, SQRT, NAME (instantiate.inc.h). The functions have no
 * branch, so that plain loops over them vectorise and every instruction set gives the same bits. */

/* What all parameters of one call share, in REAL. The last three belong to one feature, and are set
 * by set_feature_terms. */
typedef struct {
    REAL clip, one_minus_beta1, one_minus_beta2, epsilon, beta, l1;
    REAL l2, inverse_scale, scaled_rate;
} NAME(rule);

static NAME(rule) NAME(rule_of)(const fastfm_solver *solver, double l1)
{
    const NAME(rule) rule = {.clip = (REAL)solver->clip,
                             .one_minus_beta1 = (REAL)(1 - solver->beta1),
                             .one_minus_beta2 = (REAL)(1 - solver->beta2),
                             .epsilon = (REAL)solver->epsilon,
                             .beta = (REAL)solver->beta1,
                             .l1 = (REAL)l1};
    return rule;
}

FORCE_INLINE void NAME(set_feature_terms)(NAME(rule) * rule, const fastfm_solver *solver, double l2,
                                          double inverse_scale)
{
    rule->l2 = (REAL)l2;
    rule->inverse_scale = (REAL)inverse_scale;
    rule->scaled_rate = (REAL)(solver->learning_rate * inverse_scale);
}

/* g in units of the scale, clipped to [-clip, clip]. A NaN stays one. */
FORCE_INLINE REAL NAME(scaled_gradient)(REAL g, REAL inverse_scale, REAL clip)
{
    const REAL scaled = g * inverse_scale, below = clip < scaled ? clip : scaled;
    return -clip > below ? -clip : below;
}

/* `new` if is_finite, else `old`. Chosen by bits, because compilers make masked stores of
 * `is_finite ? new : old`, and those are slow. */
FORCE_INLINE REAL NAME(accept)(int is_finite, REAL old, REAL new)
{
    const REAL_BITS mask = (REAL_BITS)0 - (REAL_BITS)is_finite;
    REAL_BITS old_bits, new_bits;
    REAL accepted;
    memcpy(&old_bits, &old, sizeof old);
    memcpy(&new_bits, &new, sizeof new);
    new_bits = (new_bits & mask) | (old_bits & ~mask);
    memcpy(&accepted, &new_bits, sizeof accepted);
    return accepted;
}

#define ZERO_IF_FINITE(x) ((x) - (x))

FORCE_INLINE int NAME(sgd)(const NAME(rule) * rule, REAL *p, REAL *state0, REAL *state1, REAL g,
                           REAL l2, REAL inverse_scale, REAL scaled_rate)
{
    const REAL old = *p;
    const REAL scaled = NAME(scaled_gradient)(g + l2 * old, inverse_scale, rule->clip);
    const REAL next = old - scaled_rate * scaled;
    const int is_finite = ZERO_IF_FINITE(next) == 0;
    (void)state0, (void)state1;
    *p = NAME(accept)(is_finite, old, next);
    return is_finite;
}

/* state0: G, sums of squared gradients. */
FORCE_INLINE int NAME(adagrad)(const NAME(rule) * rule, REAL *p, REAL *state0, REAL *state1, REAL g,
                               REAL l2, REAL inverse_scale, REAL scaled_rate)
{
    const REAL old = *p, old_sum = *state0;
    const REAL scaled = NAME(scaled_gradient)(g + l2 * old, inverse_scale, rule->clip);
    const REAL sum = old_sum + scaled * scaled;
    const REAL next = old - scaled_rate * (scaled / SQRT(sum));
    const int is_finite = ZERO_IF_FINITE(next) + ZERO_IF_FINITE(sum) == 0;
    (void)state1;
    *state0 = NAME(accept)(is_finite, old_sum, sum);
    *p = NAME(accept)(is_finite, old, next);
    return is_finite;
}

/* state0: m, the mean of gradients. state1: v, the mean of their squares. */
FORCE_INLINE int NAME(adam)(const NAME(rule) * rule, REAL *p, REAL *state0, REAL *state1, REAL g,
                            REAL l2, REAL inverse_scale, REAL scaled_rate)
{
    const REAL old = *p, old_mean = *state0, old_square = *state1;
    const REAL scaled = NAME(scaled_gradient)(g + l2 * old, inverse_scale, rule->clip);
    const REAL mean = old_mean + rule->one_minus_beta1 * (scaled - old_mean);
    const REAL square = old_square + rule->one_minus_beta2 * (scaled * scaled - old_square);
    const REAL next = old - scaled_rate * (mean / (SQRT(square) + rule->epsilon));
    const int is_finite = ZERO_IF_FINITE(next) + ZERO_IF_FINITE(square) == 0;
    *state0 = NAME(accept)(is_finite, old_mean, mean);
    *state1 = NAME(accept)(is_finite, old_square, square);
    *p = NAME(accept)(is_finite, old, next);
    return is_finite;
}

/* state0: z. state1: n, sums of squared gradients. Here l2 is no part of g. The quotient is p *
 * scale over scale, which is why the denominator has the scale once. */
FORCE_INLINE int NAME(ftrl)(const NAME(rule) * rule, REAL *p, REAL *state0, REAL *state1, REAL g,
                            REAL l2, REAL inverse_scale, REAL scaled_rate)
{
    const REAL old = *p, old_z = *state0, old_sum = *state1;
    const REAL l1 = rule->l1 * inverse_scale;
    const REAL clipped = NAME(scaled_gradient)(g, inverse_scale, rule->clip);
    const REAL sum = old_sum + clipped * clipped;
    const REAL root = SQRT(sum);
    const REAL z = old_z + clipped - (root - SQRT(old_sum)) / scaled_rate * old;
    const REAL beyond = z > l1 ? z - l1 : z < -l1 ? z + l1 : 0;
    const REAL next = -beyond / ((rule->beta + root) / scaled_rate + l2 * inverse_scale);
    const int is_finite = ZERO_IF_FINITE(next) + ZERO_IF_FINITE(sum) + ZERO_IF_FINITE(z) == 0;
    *state0 = NAME(accept)(is_finite, old_z, z);
    *state1 = NAME(accept)(is_finite, old_sum, sum);
    *p = NAME(accept)(is_finite, old, next);
    return is_finite;
}
#undef ZERO_IF_FINITE

/* Of a gradient: p is its sum so far, and may become any number, also NaN. */
FORCE_INLINE int NAME(sum)(const NAME(rule) * rule, REAL *p, REAL *state0, REAL *state1, REAL g,
                           REAL l2, REAL inverse_scale, REAL scaled_rate)
{
    (void)rule, (void)state0, (void)state1, (void)l2, (void)inverse_scale, (void)scaled_rate;
    *p += g;
    return 1;
}

/* The rule `kind`, which is a constant wherever this is inlined. */
FORCE_INLINE int NAME(apply_rule)(fastfm_rule kind, const NAME(rule) * rule, REAL *p, REAL *state0,
                                  REAL *state1, REAL g, REAL l2, REAL inverse_scale,
                                  REAL scaled_rate)
{
#define APPLY(ENUM, function, n_states, degree, per_row) \
    case FASTFM_##ENUM:                                  \
        return NAME(function)(rule, p, state0, state1, g, l2, inverse_scale, scaled_rate);
    switch (kind) {
        FASTFM_RULE_LIST(APPLY)
    default:
        return 0;
    }
#undef APPLY
}
