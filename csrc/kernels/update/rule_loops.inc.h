/* Loops over a rule: update_span for parameters side by side that share their terms, and
 * update_gathered for parameters of different features.
 *
 * The loops are written once for any rule. They take `kind` and n_states, its arrays of state, as
 * constants, are inlined into one pair of functions for each line of FASTFM_RULE_LIST, and then
 * contain that rule alone.
 * A gradient array may be shared by nothing else, and state arrays are NULL where the rule has
 * none. Contract: p, state and g do not overlap. All functions return all_finite: whether all new
 * values were finite; a parameter whose were not keeps its value and state. */
#define STATE(s, f) (n_states > (s) ? state##s + (f) : NULL)

/* n parameters, one after the other; vectorised by the compiler where n is a constant. */
FORCE_INLINE int NAME(rule_loop)(fastfm_rule kind, int n_states, const NAME(rule) * rule, int64_t n,
                                 REAL *RESTRICT p, REAL *RESTRICT state0, REAL *RESTRICT state1,
                                 const REAL *RESTRICT g)
{
    int all_finite = 1;
    for (int64_t f = 0; f < n; f++)
        all_finite &= NAME(apply_rule)(kind, rule, p + f, STATE(0, f), STATE(1, f), g[f], rule->l2,
                                       rule->inverse_scale, rule->scaled_rate);
    return all_finite;
}

/* n >= width parameters in vectors of `width`, a constant. If width does not divide n, the last
 * vector overlaps the one before; it is updated in a copy, from the old values, and written last.
 * So a parameter in both is updated once. With width 16 and n = 20: a copy of [4, 20) is updated,
 * then [0, 16) in place, then the copy is written over [4, 20); the numbers 4 to 15 are the same in
 * both. There is no scalar loop for the rest: divisions and roots one by one would take longer than
 * a vector of them. */
FORCE_INLINE int NAME(rule_vectors)(fastfm_rule kind, int n_states, const NAME(rule) * rule,
                                    int64_t width, int64_t n, REAL *RESTRICT p,
                                    REAL *RESTRICT state0, REAL *RESTRICT state1,
                                    const REAL *RESTRICT g)
{
    const int64_t whole = n < 2 * width ? width : n - n % width, last = n - width;
    const size_t bytes = (size_t)width * sizeof(REAL);
    REAL end_p[UPDATE_WIDTH], end0[UPDATE_WIDTH], end1[UPDATE_WIDTH];
    int all_finite = 1;
    if (whole < n) {
        memcpy(end_p, p + last, bytes);
        if (n_states > 0)
            memcpy(end0, state0 + last, bytes);
        if (n_states > 1)
            memcpy(end1, state1 + last, bytes);
        all_finite = NAME(rule_loop)(kind, n_states, rule, width, end_p, end0, end1, g + last);
    }
    all_finite &= NAME(rule_loop)(kind, n_states, rule, whole, p, state0, state1, g);
    if (whole < n) {
        memcpy(p + last, end_p, bytes);
        if (n_states > 0)
            memcpy(state0 + last, end0, bytes);
        if (n_states > 1)
            memcpy(state1 + last, end1, bytes);
    }
    return all_finite;
}

/* n >= 1 parameters, in the widest vectors that they fill. */
FORCE_INLINE int NAME(rule_span)(fastfm_rule kind, int n_states, const NAME(rule) * rule, int64_t n,
                                 REAL *p, REAL *state0, REAL *state1, const REAL *g)
{
    int all_finite = 1;
    if (n >= UPDATE_WIDTH)
        return NAME(rule_vectors)(kind, n_states, rule, UPDATE_WIDTH, n, p, state0, state1, g);
    if (n >= UPDATE_WIDTH / 2)
        return NAME(rule_vectors)(kind, n_states, rule, UPDATE_WIDTH / 2, n, p, state0, state1, g);
    if (n >= UPDATE_WIDTH / 4)
        return NAME(rule_vectors)(kind, n_states, rule, UPDATE_WIDTH / 4, n, p, state0, state1, g);
    for (int64_t f = 0; f < n; f++)
        all_finite &=
            NAME(rule_loop)(kind, n_states, rule, 1, p + f, STATE(0, f), STATE(1, f), g + f);
    return all_finite;
}

/* UPDATE_WIDTH parameters of different features, copied side by side, each with its own terms. */
typedef struct {
    REAL p[UPDATE_WIDTH], state0[UPDATE_WIDTH], state1[UPDATE_WIDTH], g[UPDATE_WIDTH];
    REAL l2[UPDATE_WIDTH], inverse_scale[UPDATE_WIDTH], scaled_rate[UPDATE_WIDTH];
} NAME(gathered_parameters);

FORCE_INLINE int NAME(rule_gathered)(fastfm_rule kind, int n_states, const NAME(rule) * rule,
                                     NAME(gathered_parameters) * gathered)
{
    REAL *state0 = gathered->state0, *state1 = gathered->state1;
    int all_finite = 1;
    for (int64_t f = 0; f < UPDATE_WIDTH; f++)
        all_finite &=
            NAME(apply_rule)(kind, rule, gathered->p + f, STATE(0, f), STATE(1, f), gathered->g[f],
                             gathered->l2[f], gathered->inverse_scale[f], gathered->scaled_rate[f]);
    return all_finite;
}
#undef STATE

/* <rule>_span and <rule>_gathered for each rule of the list. */
#define DEFINE_LOOPS(ENUM, function, n_states, degree, per_row)                                 \
    static int NAME(function##_span)(const NAME(rule) * rule, int64_t n, REAL *p, REAL *state0, \
                                     REAL *state1, const REAL *g)                               \
    {                                                                                           \
        return NAME(rule_span)(FASTFM_##ENUM, n_states, rule, n, p, state0, state1, g);         \
    }                                                                                           \
    static int NAME(function##_gathered)(const NAME(rule) * rule,                               \
                                         NAME(gathered_parameters) * gathered)                  \
    {                                                                                           \
        return NAME(rule_gathered)(FASTFM_##ENUM, n_states, rule, gathered);                    \
    }
FASTFM_RULE_LIST(DEFINE_LOOPS)
#undef DEFINE_LOOPS

/* n parameters that share all terms, by the solver's rule. state: of these parameters. */
static int NAME(update_span)(const fastfm_solver *solver, const NAME(rule) * rule, int64_t n,
                             REAL *p, REAL *state0, REAL *state1, const REAL *g)
{
#define UPDATE(ENUM, function, n_states, degree, per_row) \
    case FASTFM_##ENUM:                                   \
        return NAME(function##_span)(rule, n, p, state0, state1, g);
    switch (solver->rule) {
        FASTFM_RULE_LIST(UPDATE)
    default:
        return 0;
    }
#undef UPDATE
}

/* UPDATE_WIDTH gathered parameters, by the solver's rule. */
static int NAME(update_gathered)(const fastfm_solver *solver, const NAME(rule) * rule,
                                 NAME(gathered_parameters) * gathered)
{
#define UPDATE(ENUM, function, n_states, degree, per_row) \
    case FASTFM_##ENUM:                                   \
        return NAME(function##_gathered)(rule, gathered);
    switch (solver->rule) {
        FASTFM_RULE_LIST(UPDATE)
    default:
        return 0;
    }
#undef UPDATE
}

/* The kernel update_parameters (table.h): without penalty and scale. */
static int NAME(update_parameters)(const fastfm_solver *solver, int64_t n, void *parameters,
                                   void *state0, void *state1, const void *gradients)
{
    NAME(rule) rule = NAME(rule_of)(solver, 0);
    NAME(set_feature_terms)(&rule, solver, 0, 1);
    return NAME(update_span)(solver, &rule, n, (REAL *)parameters, (REAL *)state0, (REAL *)state1,
                             (const REAL *)gradients);
}
