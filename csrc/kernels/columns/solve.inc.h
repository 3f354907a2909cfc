/* column_solve: the new w_j and block of v_j from the sums of all rows of the column (view.h),
 *
 *     (alpha sum c x^2 + lambda_w) dw = -alpha sum c x e - lambda_w (w_j - mu_w)
 *     (alpha A + Lambda) dv           = -alpha (g + s dw) - Lambda (v_j - mu)
 *
 * w_j first, then the block with what that leaves. Where the view samples, these are the means of normal
 * distributions with the matrices on the left as precisions, and a number of each is drawn.
 *
 * Where the penalties are small beside roundings of A, a diagonal P is added that is not: a penalty on the
 * step alone, P / 2 |dv - d|^2. With d = 0 the objective does not rise all the same; where there is no
 * unique solution, it makes dv the shortest. A sampler first draws d ~ N(0, P^-1), and then dv given d:
 * these are two steps of Gibbs sampling for v_j and v_j + d, so the distribution stays the same.
 *
 * Template parameters: those of widths.inc.h. */

/* 1 in the lanes after `lane`, else 0. */
FORCE_INLINE BLOCK_VEC BLOCK_NAME(lanes_after)(int lane)
{
    static const REAL steps[2 * BLOCK_WIDTH] = {[BLOCK_WIDTH] = 1,
                                                1,
                                                1,
                                                1,
                                                1,
                                                1,
                                                1,
                                                1,
#if BLOCK_WIDTH == 16
                                                1,
                                                1,
                                                1,
                                                1,
                                                1,
                                                1,
                                                1,
                                                1
#endif
    };
    return OP(_load)(steps + BLOCK_WIDTH - 1 - lane);
}

/* Normal numbers of the block, 0 for unused factors; with stream STREAM_FEW one for each of few rows. */
FORCE_INLINE void BLOCK_NAME(noise)(const column_view *view, uint32_t stream, int64_t column,
                                    REAL *noise)
{
    const random_place place = place_of_column(view, stream, column);
    const int64_t n = stream == STREAM_FEW ? BLOCK_WIDTH : view->n_factors - view->first;
    double normals[BLOCK_WIDTH];
    random_normals(&place, (uint32_t)view->first / 4, BLOCK_WIDTH / 4, normals);
    for (int f = 0; f < BLOCK_WIDTH; f++)
        noise[f] = f < n ? (REAL)normals[f] : 0;
}

/* Solves A d = b in place of b, by A = L D L'. A: columns of its lower half, used up. D is not below
 * `lowest`. Unless z, normal numbers, is NULL, L'^-1 D^-1/2 z is added, whose covariance is A^-1. */
FORCE_INLINE void BLOCK_NAME(solve_system)(REAL *RESTRICT A, REAL *RESTRICT b, const REAL *lowest,
                                           const REAL *z)
{
    REAL inverse[BLOCK_WIDTH];
    for (int c = 0; c < BLOCK_WIDTH; c++) {
        const BLOCK_VEC column = OP(_load)(A + c * BLOCK_WIDTH);
        const REAL pivot = A[c * BLOCK_WIDTH + c];
        BLOCK_VEC l;
        inverse[c] = 1 / (pivot < lowest[c] ? lowest[c] : pivot);
        for (int r = c + 1; r < BLOCK_WIDTH; r++) {
            const BLOCK_VEC f = OP(_broadcast)(A[c * BLOCK_WIDTH + r] * inverse[c]);
            REAL *later = A + r * BLOCK_WIDTH;
            OP(_store)(later, OP(_sub)(OP(_load)(later), OP(_mul)(f, column)));
        }
        l = OP(_mul)(OP(_mul)(column, OP(_broadcast)(inverse[c])), BLOCK_NAME(lanes_after)(c));
        OP(_store)(A + c * BLOCK_WIDTH, l);
        OP(_store)(b, OP(_sub)(OP(_load)(b), OP(_mul)(l, OP(_broadcast)(b[c]))));
    }
    OP(_store)(b, OP(_mul)(OP(_load)(b), OP(_load)(inverse)));
    for (int c = 0; z && c < BLOCK_WIDTH; c++)
        b[c] += z[c] * SQRT(inverse[c]);
    for (int c = BLOCK_WIDTH - 1; c >= 0; c--)
        b[c] -= OP(_sum)(OP(_mul)(OP(_load)(A + c * BLOCK_WIDTH), OP(_load)(b)));
}

/* dw, from sum c x^2 and sum c x e; w_j is replaced. 0 with other blocks than the first. */
FORCE_INLINE REAL BLOCK_NAME(solve_w)(const column_view *view, int64_t column, REAL xx, REAL xe)
{
    const int64_t group = column_group(view, column);
    const REAL lambda = (REAL)view->lambda_w[group], mu = (REAL)view->mu_w[group];
    const REAL alpha = (REAL)view->alpha, precision = alpha * xx + lambda;
    REAL *w = (REAL *)view->w + column, step;
    if (view->first > 0 || !(precision > 0))
        return 0;
    step = -(alpha * xe + lambda * (*w - mu)) / precision;
    if (view->samples) {
        const random_place place = place_of_column(view, STREAM_W, column);
        step += (REAL)random_normal(&place) / SQRT(precision);
    }
    *w += step;
    return step;
}

/* Writes the diagonal of penalties to lambda; unused factors get 0. */
FORCE_INLINE void BLOCK_NAME(penalties)(const column_view *view, int64_t column, REAL *lambda,
                                        REAL *mu)
{
    const int64_t at = column_group(view, column) * view->stride + view->first;
    for (int f = 0; f < BLOCK_WIDTH; f++) {
        lambda[f] = (REAL)view->lambda_V[at + f];
        mu[f] = (REAL)view->mu_V[at + f];
    }
}

/* alpha A + Lambda + P, with 1 on the diagonal where all is 0, or too small to be inverted. Writes the
 * diagonal of P to proximal, and half of that of Lambda + P to lowest: a pivot below it has been
 * lost to roundings. */
FORCE_INLINE void BLOCK_NAME(add_penalties)(const column_view *view, const REAL *lambda,
                                            REAL *RESTRICT A, REAL *RESTRICT proximal,
                                            REAL *RESTRICT lowest)
{
    const BLOCK_VEC alpha = OP(_broadcast)((REAL)view->alpha);
    REAL least = 0;
    for (int c = 0; c < BLOCK_WIDTH; c++) {
        REAL *column = A + c * BLOCK_WIDTH;
        OP(_store)(column, OP(_mul)(OP(_load)(column), alpha));
        least += column[c] * (sizeof(REAL) == 4 ? (REAL)0x1p-20 : (REAL)0x1p-46);
    }
    for (int c = 0; c < BLOCK_WIDTH; c++) {
        REAL *diagonal = A + c * BLOCK_WIDTH + c;
        proximal[c] = lambda[c] < least ? least - lambda[c] : 0;
        lowest[c] = (lambda[c] + proximal[c]) / 2;
        *diagonal += lambda[c] + proximal[c];
        if (!(*diagonal >= (sizeof(REAL) == 4 ? (REAL)0x1p-100 : (REAL)0x1p-900)))
            *diagonal = 1;
    }
}

/* What the system is solved for: the step of v; in a pair plan, where g is sum h t, the new v itself. */
FORCE_INLINE void BLOCK_NAME(right_side)(const column_view *view, const REAL *part, REAL w,
                                         const REAL *v, const REAL *lambda, const REAL *mu,
                                         const REAL *proximal, REAL *RESTRICT b)
{
    const REAL *g = part + BLOCK_WIDTH * BLOCK_WIDTH, *s = g + BLOCK_WIDTH;
    const REAL alpha = (REAL)view->alpha;
    for (int f = 0; f < BLOCK_WIDTH; f++)
        b[f] = view->residuals ? -(alpha * (g[f] + w * s[f]) + lambda[f] * (v[f] - mu[f]))
                               : alpha * (g[f] - w * s[f]) + lambda[f] * mu[f] + proximal[f] * v[f];
}

/* Draws d, and adds P d to the right side. */
FORCE_INLINE void BLOCK_NAME(draw_step)(const column_view *view, int64_t column,
                                        const REAL *proximal, REAL *RESTRICT b)
{
    REAL z[BLOCK_WIDTH], most = 0;
    for (int f = 0; f < BLOCK_WIDTH; f++)
        if (view->first + f < view->n_factors && proximal[f] > most)
            most = proximal[f];
    if (!(most > 0))
        return;
    BLOCK_NAME(noise)(view, STREAM_STEP, column, z);
    for (int f = 0; f < BLOCK_WIDTH; f++)
        b[f] += SQRT(proximal[f]) * z[f];
}

static void BLOCK_NAME(column_solve)(const column_view *view, int64_t column, REAL *RESTRICT part,
                                     REAL *RESTRICT step)
{
    const REAL *last = part + BLOCK_WIDTH * (BLOCK_WIDTH + 2), *w = (const REAL *)view->w + column;
    REAL *v = (REAL *)view->V + column * view->stride + view->first;
    REAL lambda[BLOCK_WIDTH], mu[BLOCK_WIDTH], proximal[BLOCK_WIDTH], lowest[BLOCK_WIDTH];
    REAL z[BLOCK_WIDTH], dw;
    const int is_pair = view->residuals == NULL;
    if (is_pair)
        BLOCK_NAME(pair_total)(view, column, part);
    dw = BLOCK_NAME(solve_w)(view, column, last[0], last[1]);
    BLOCK_NAME(penalties)(view, column, lambda, mu);
    memcpy(step + BLOCK_WIDTH, v, BLOCK_WIDTH * sizeof(REAL));
    step[2 * BLOCK_WIDTH] = dw;
    BLOCK_NAME(add_penalties)(view, lambda, part, proximal, lowest);
    BLOCK_NAME(right_side)(view, part, is_pair ? *w : dw, v, lambda, mu, proximal, step);
    if (view->samples) {
        BLOCK_NAME(noise)(view, STREAM_V, column, z);
        BLOCK_NAME(draw_step)(view, column, proximal, step);
    }
    BLOCK_NAME(solve_system)(part, step, lowest, view->samples ? z : NULL);
    OP(_store)(v, is_pair ? OP(_load)(step) : OP(_add)(OP(_load)(v), OP(_load)(step)));
}
