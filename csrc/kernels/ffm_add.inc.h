/* How ffm_sum_gradients adds what was kept of a value, times its g x. */
FORCE_INLINE void NAME(ffm_add)(REAL *RESTRICT sums, REAL gx, const REAL *RESTRICT values,
                                int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sums[i] += gx * values[i];
}

/* Multiplies what the first row left by its g x, before another row's is added. */
static void NAME(ffm_scale_first)(const learn_scratch *scratch, int64_t output, REAL *sums,
                                  int64_t n)
{
    const REAL gx = ((const REAL *)scratch->times)[output];
    for (int64_t i = 0; gx != 1 && i < n; i++)
        sums[i] *= gx;
    ((REAL *)scratch->times)[output] = 1;
}

static char *NAME(ffm_zero_sums)(const learn_scratch *scratch, int64_t slot, int64_t n)
{
    REAL *sums = (REAL *)scratch->grad_V + slot * n;
    for (int64_t i = 0; i < n; i++)
        sums[i] = 0;
    return (char *)sums;
}
