/* column_slopes: how losses of rows rise with their scores, for the field columns of an FFM,
 *
 *     slope       c (p - t),              p = 1 / (1 + exp(-s))
 *     curvature   c (p - 1/2) / s         1/4 at s = 0, and less elsewhere
 *
 * The quadratic with the loss, this slope and this curvature at s lies above the loss everywhere (Jaakkola and
 * Jordan, 2000), and no flatter one does. Without targets the loss is e^2 / 2: slope c e, curvature c.
 * Template parameters: REAL. */
FORCE_INLINE void NAME(logistic_slopes)(const REAL *RESTRICT s, const REAL *RESTRICT t, int64_t n,
                                        REAL *RESTRICT slopes, REAL *RESTRICT curvatures)
{
    for (int64_t i = 0; i < n; i++) {
        const REAL p = NAME(probability_of)(s[i]), square = s[i] * s[i];
        REAL series, ratio;
        slopes[i] = p - t[i];
        /* Near 0 the difference p - 1/2 has few digits: the series is off by less than 1e-15 there. */
        series =
            (REAL)0.25 - square * ((REAL)(1.0 / 48) -
                                   square * ((REAL)(1.0 / 480) - square * (REAL)(17.0 / 80640)));
        ratio = (p - (REAL)0.5) / (square < (REAL)0x1p-9 ? (REAL)1 : s[i]);
        curvatures[i] = square < (REAL)0x1p-9 ? series : ratio;
    }
}

static void NAME(column_slopes)(const void *scores, const void *targets, const void *weights,
                                int64_t n, double *slopes, double *curvatures)
{
    const REAL *s = (const REAL *)scores, *c = (const REAL *)weights;
    REAL a[SLOPE_RUN], b[SLOPE_RUN];
    if (targets)
        NAME(logistic_slopes)(s, (const REAL *)targets, n, a, b);
    for (int64_t i = 0; i < n; i++) {
        const REAL weight = c ? c[i] : 1;
        slopes[i] = (double)(weight * (targets ? a[i] : s[i]));
        curvatures[i] = (double)(targets ? weight * b[i] : weight);
    }
}
