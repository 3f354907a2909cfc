/* working: turns scores s of the logistic loss into residuals, in place,
 *
 *     e = 4 (1 / (1 + exp(-s)) - t)
 *
 * The exponential function is our own, so the bits do not depend on libm, and compilers turn the loop
 * into vectors: 2^n P(r), with s = n log 2 + r and P a polynomial, off by less than 3 roundings.
 *
 *   scores   (n,) and then the residuals
 *   targets  (n,) t
 * Template parameters: REAL, REAL_BITS. */
FORCE_INLINE REAL NAME(exp_of)(REAL x)
{
    /* Adding and taking away SHIFT rounds to an integer, whose low bits then stand in the sum. */
    const int is_32 = sizeof(REAL) == 4;
    const REAL shift = is_32 ? (REAL)0x1.8p23 : (REAL)0x1.8p52;
    const REAL high = is_32 ? (REAL)0x1.62e4p-1 : (REAL)0x1.62e42feep-1; /* of log 2 */
    const REAL low = is_32 ? (REAL)0x1.7f7d1cp-20 : (REAL)0x1.a39ef35793c76p-33;
    const REAL n = x * (REAL)0x1.71547652b82fep0 + shift, whole = n - shift;
    const REAL r = (x - whole * high) - whole * low;
    REAL sum = 1, power;
    REAL_BITS bits;
    /* Taylor's series: |r| is at most log 2 / 2, so the first term that is left out is below 1e-9 (7
     * terms) or 1e-18 (14). */
    for (int t = is_32 ? 7 : 14; t > 0; t--)
        sum = 1 + sum * r * ((REAL)1 / (REAL)t);
    memcpy(&bits, &n, sizeof bits);
    bits = (bits + (is_32 ? 127 : 1023)) << (is_32 ? 23 : 52);
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

/* 1 / (1 + exp(-s)). */
FORCE_INLINE REAL NAME(probability_of)(REAL s)
{
    const REAL most = sizeof(REAL) == 4 ? 80 : 700; /* beyond it the probability is 0 or 1 */
    s = s > most ? most : s;
    s = s < -most ? -most : s;
    return 1 / (1 + NAME(exp_of)(-s));
}

FORCE_INLINE void NAME(working)(REAL *RESTRICT scores, const REAL *RESTRICT targets, int n)
{
    for (int t = 0; t < n; t++)
        scores[t] = 4 * (NAME(probability_of)(scores[t]) - targets[t]);
}
