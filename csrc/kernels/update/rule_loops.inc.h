/* Loops over RULE, which has RULE_STATES arrays of state. A parameter that would not stay finite keeps
 * its value. RULE, its _loop and _vectors return whether there was one, _run and _each whether there
 * was none. */
#define STATE(s, f) (RULE_STATES > (s) ? state##s + (f) : NULL)

FORCE_INLINE int NAME(CONCAT(RULE, _loop))(const NAME(rule) * rule, int64_t n, REAL *RESTRICT p,
                                           REAL *RESTRICT state0, REAL *RESTRICT state1,
                                           const REAL *RESTRICT g)
{
    int bad = 0;
    for (int64_t f = 0; f < n; f++)
        bad |= NAME(RULE)(rule, p + f, STATE(0, f), STATE(1, f), g[f], rule->l2, rule->inverse,
                          rule->rate);
    return bad;
}

/* In vectors of `width` parameters only: the last one may begin before the others end, and is made
 * from a copy. */
FORCE_INLINE int NAME(CONCAT(RULE, _vectors))(const NAME(rule) * rule, int64_t width, int64_t n,
                                              REAL *RESTRICT p, REAL *RESTRICT state0,
                                              REAL *RESTRICT state1, const REAL *RESTRICT g)
{
    const int64_t whole = n < 2 * width ? width : n - n % width, last = n - width;
    const size_t bytes = (size_t)width * sizeof(REAL);
    REAL end_p[UPDATE_WIDTH], end0[UPDATE_WIDTH], end1[UPDATE_WIDTH];
    int bad = 0;
    if (whole < n) {
        memcpy(end_p, p + last, bytes);
        if (RULE_STATES > 0)
            memcpy(end0, state0 + last, bytes);
        if (RULE_STATES > 1)
            memcpy(end1, state1 + last, bytes);
        bad = NAME(CONCAT(RULE, _loop))(rule, width, end_p, end0, end1, g + last);
    }
    bad |= NAME(CONCAT(RULE, _loop))(rule, whole, p, state0, state1, g);
    if (whole < n) {
        memcpy(p + last, end_p, bytes);
        if (RULE_STATES > 0)
            memcpy(state0 + last, end0, bytes);
        if (RULE_STATES > 1)
            memcpy(state1 + last, end1, bytes);
    }
    return bad;
}

static int NAME(CONCAT(RULE, _run))(const NAME(rule) * rule, int64_t n, REAL *p, REAL *state0,
                                    REAL *state1, const REAL *g)
{
    int bad = 0;
    if (n >= UPDATE_WIDTH)
        return !NAME(CONCAT(RULE, _vectors))(rule, UPDATE_WIDTH, n, p, state0, state1, g);
    if (n >= UPDATE_WIDTH / 2)
        return !NAME(CONCAT(RULE, _vectors))(rule, UPDATE_WIDTH / 2, n, p, state0, state1, g);
    if (n >= UPDATE_WIDTH / 4)
        return !NAME(CONCAT(RULE, _vectors))(rule, UPDATE_WIDTH / 4, n, p, state0, state1, g);
    for (int64_t f = 0; f < n; f++)
        bad |= NAME(CONCAT(RULE, _loop))(rule, 1, p + f, STATE(0, f), STATE(1, f), g + f);
    return !bad;
}

static int NAME(CONCAT(RULE, _each))(const NAME(rule) * rule, NAME(update_terms) * each)
{
    REAL *state0 = each->state0, *state1 = each->state1;
    int bad = 0;
    for (int64_t f = 0; f < UPDATE_WIDTH; f++)
        bad |= NAME(RULE)(rule, each->p + f, STATE(0, f), STATE(1, f), each->g[f], each->l2[f],
                          each->inverse[f], each->rate[f]);
    return !bad;
}
#undef STATE
#undef RULE_STATES
#undef RULE
