/* visit_few: the visit of a column of n <= FEW_ROWS rows by their n x n system, which is smaller than that
 * of the factors. The solution is the same, written with the rows of H,
 *
 *     v = u + D H' (H D H' + 1 / (alpha c))^-1 (H (v_old - u) - e),     D = 1 / Lambda, u = mu
 *
 * A sample of the posterior comes of u ~ N(mu, D), and noise of variance 1 / (alpha c) in e
 * (Matheron's rule).
 *
 * It needs penalties that are not small beside the squares (FEW_ROWS_LIMIT): else the sum in the
 * brackets is lost to rounding, and the other way is taken.
 * Template parameters: those of widths.inc.h. */
#define FEW_ROWS (3 * BLOCK_WIDTH / 8)

/* Solves G x = b in place of b, with the lower half of G, (n, FEW_ROWS), used up. */
FORCE_INLINE void BLOCK_NAME(solve_rows)(REAL *G, REAL *b, int n)
{
    for (int a = 0; a < n; a++)
        for (int t = a + 1; t < n; t++) {
            const REAL f = G[t * FEW_ROWS + a] / G[a * FEW_ROWS + a];
            for (int r = t; r < n; r++)
                G[r * FEW_ROWS + t] -= f * G[r * FEW_ROWS + a];
            b[t] -= f * b[a];
        }
    for (int a = n - 1; a >= 0; a--) {
        for (int t = a + 1; t < n; t++)
            b[a] -= G[t * FEW_ROWS + a] * b[t];
        b[a] /= G[a * FEW_ROWS + a];
    }
}

/* Whether the penalties are large enough; then writes D. */
FORCE_INLINE int BLOCK_NAME(inverse_penalties)(const column_view *view, int n,
                                               const BLOCK_NAME(column_run) * run,
                                               const REAL *lambda, REAL *D)
{
    const REAL limit = sizeof(REAL) == 4 ? (REAL)0x1p12 : (REAL)0x1p34;
    BLOCK_VEC squares = OP(_zero)();
    REAL least = 0, most;
    for (int f = 0; f < BLOCK_WIDTH; f++) {
        D[f] = lambda[f] > 0 ? 1 / lambda[f] : 0;
        if (view->first + f < view->n_factors && (f == 0 || lambda[f] < least))
            least = lambda[f];
    }
    for (int t = 0; t < n; t++)
        squares = OP(_add)(squares, OP(_mul)(OP(_load)(run->ch[t]), OP(_load)(run->h[t])));
    most = (REAL)view->alpha * OP(_sum)(squares);
    return least > 0 && most <= limit * least;
}

/* u ~ N(u, D), and noise to e. */
FORCE_INLINE void BLOCK_NAME(draw_prior)(const column_view *view, int64_t column, int n,
                                         const REAL *D, REAL *u, BLOCK_NAME(column_run) * run)
{
    REAL z[BLOCK_WIDTH];
    BLOCK_NAME(noise)(view, STREAM_V, column, z);
    for (int f = 0; f < BLOCK_WIDTH; f++)
        u[f] += z[f] * SQRT(D[f]);
    BLOCK_NAME(noise)(view, STREAM_FEW, column, z);
    for (int t = 0; t < n; t++)
        run->e[t] += z[t] / SQRT((REAL)view->alpha * run->c[t]);
}

/* Returns 0, and has done nothing, where the column needs the other way. */
static int BLOCK_NAME(visit_few)(const column_view *view, int64_t column, REAL *RESTRICT step)
{
    const int64_t begin = view->begins[column];
    const int n = (int)(view->begins[column + 1] - begin);
    const REAL alpha = (REAL)view->alpha;
    REAL *v = (REAL *)view->V + column * view->stride + view->first;
    REAL lambda[BLOCK_WIDTH], u[BLOCK_WIDTH], D[BLOCK_WIDTH], xx = 0, xe = 0, dw;
    REAL G[FEW_ROWS * FEW_ROWS], T[FEW_ROWS];
    BLOCK_NAME(column_run) run;
    BLOCK_VEC change = OP(_zero)(), past;
    BLOCK_NAME(load_numbers)(view, begin, n, &run);
    BLOCK_NAME(load_rows)(view, begin, n, v, &run);
    BLOCK_NAME(penalties)(view, column, lambda, u);
    if (!BLOCK_NAME(inverse_penalties)(view, n, &run, lambda, D))
        return 0;
    for (int t = 0; t < n; t++) {
        xx += run.c[t] * run.x[t] * run.x[t];
        xe += run.c[t] * run.x[t] * run.e[t];
    }
    dw = BLOCK_NAME(solve_w)(view, column, xx, xe);
    if (view->samples)
        BLOCK_NAME(draw_prior)(view, column, n, D, u, &run);
    past = OP(_sub)(OP(_load)(v), OP(_load)(u));
    for (int t = 0; t < n; t++) {
        const BLOCK_VEC h = OP(_load)(run.h[t]);
        T[t] = OP(_sum)(OP(_mul)(h, past)) - (run.e[t] + run.x[t] * dw);
        for (int a = 0; a <= t; a++)
            G[t * FEW_ROWS + a] =
                OP(_sum)(OP(_mul)(OP(_mul)(h, OP(_load)(run.h[a])), OP(_load)(D)));
        G[t * FEW_ROWS + t] += 1 / (alpha * run.c[t]);
    }
    BLOCK_NAME(solve_rows)(G, T, n);
    for (int t = 0; t < n; t++)
        change = OP(_add)(change, OP(_mul)(OP(_load)(run.h[t]), OP(_broadcast)(T[t])));
    memcpy(step + BLOCK_WIDTH, v, BLOCK_WIDTH * sizeof(REAL));
    step[2 * BLOCK_WIDTH] = dw;
    change = OP(_sub)(OP(_mul)(change, OP(_load)(D)), past);
    OP(_store)(step, change);
    OP(_store)(v, OP(_add)(OP(_load)(v), change));
    return 1;
}
