#include "text/decimal.h"

#include <float.h>
#include <math.h>

/* The powers of ten that a double holds exactly. */
static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define MOST_TENS 22

/* hi + lo, with hi the double nearest to it. */
typedef struct {
    double hi, lo;
} pair;

static pair sum(double larger, double smaller)
{
    const double hi = larger + smaller;
    return (pair){hi, smaller - (hi - larger)};
}

/* a * b without error (Dekker 1971). */
static pair product(double a, double b)
{
    const double p = a * b, c = 134217729.0 * a, d = 134217729.0 * b; /* 2^27 + 1 */
    const double a1 = c - (c - a), a2 = a - a1, b1 = d - (d - b), b2 = b - b1;
    return (pair){p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2};
}

static pair times(pair x, double d)
{
    const pair p = product(x.hi, d);
    return sum(p.hi, p.lo + x.lo * d);
}

static pair over(pair x, double d)
{
    const double quotient = x.hi / d;
    const pair p = product(quotient, d);
    return sum(quotient, ((x.hi - p.hi) - p.lo + x.lo) / d);
}

/* x * 10^power within 2^-90 of itself, unless the result is outside 1e-290..1e290. In between a
 * power of two keeps large and small numbers away from the ends of the range. */
static pair times_ten_to(pair x, int power)
{
    const int up = x.hi < 1e-220 || (x.hi <= 1e220 && power < -250);
    const int down = x.hi > 1e220 || power > 250;
    const double scale = up ? 0x1p+200 : down ? 0x1p-200 : 1;
    x.hi *= scale, x.lo *= scale;
    while (power != 0) {
        const int step = (int)min_i64(power < 0 ? -power : power, MOST_TENS);
        x = power < 0 ? over(x, TENS[step]) : times(x, TENS[step]);
        power += power < 0 ? step : -step;
    }
    x.hi /= scale, x.lo /= scale;
    return x;
}

/* *x: m * 10^power, m < 10^19; returns whether it is known to be the nearest double. */
static int nearest(uint64_t m, int64_t power, double *x)
{
    if (m <= 1ull << 53 && power >= -MOST_TENS && power <= MOST_TENS) { /* one rounding */
        *x = power < 0 ? (double)m / TENS[-power] : (double)m * TENS[power];
        return 1;
    }
    *x = power < 0 || m == 0 ? 0 : HUGE_VAL;
    if (m == 0 || power < -345 || power > 310)
        return m == 0;
    const double hi = (double)m;
    const pair r = times_ten_to((pair){hi, (double)(int64_t)(m - (uint64_t)hi)}, (int)power);
    const double slack = r.hi * 0x1p-90;
    *x = r.hi;
    return r.hi > 1e-290 && r.hi < 1e290 && r.hi + (r.lo - slack) == r.hi &&
           r.hi + (r.lo + slack) == r.hi;
}

/* The digits of a number, with a point or not: the first ones that are not 0 as m * 10^power. */
typedef struct {
    const char *begin, *end;
    uint64_t m;
    int64_t power;
    int has_digits, has_more; /* digits; others than 0 beyond m */
} mantissa;

static mantissa read_mantissa(const char *p)
{
    mantissa a = {p, p, 0, 0, 0, 0};
    for (int past_point = 0;; p++) {
        const unsigned digit = (unsigned)(unsigned char)*p - '0';
        if (digit <= 9) {
            a.has_digits = 1;
            if (a.m < 1000000000000000000u) {
                a.m = 10 * a.m + digit;
                a.power -= past_point;
            } else {
                a.has_more |= digit != 0;
                a.power += !past_point;
            }
        } else if (*p == '.' && !past_point) {
            past_point = 1;
        } else {
            break;
        }
    }
    a.end = p;
    return a;
}

/* After the digits: e, a sign, digits. Without them the number ends before the e. */
static const char *read_exponent(const char *p, int64_t *exponent)
{
    *exponent = 0;
    if (*p != 'e' && *p != 'E')
        return p;
    const char *q = p + 1;
    const int negative = *q == '-';
    q += *q == '-' || *q == '+';
    if (*q < '0' || *q > '9')
        return p;
    for (; *q >= '0' && *q <= '9'; q++)
        if (*exponent < 1000000000000000)
            *exponent = 10 * *exponent + (*q - '0');
    if (negative)
        *exponent = -*exponent;
    return q;
}

const char *number_read(const char *text, double *value)
{
    const int negative = *text == '-';
    const mantissa a = read_mantissa(text + (*text == '-' || *text == '+'));
    int64_t exponent;
    double x, next;
    if (!a.has_digits)
        return NULL;
    const char *end = read_exponent(a.end, &exponent);
    const int64_t power = a.power + exponent;
    if (!nearest(a.m, power, &x) || (a.has_more && !(nearest(a.m + 1, power, &next) && next == x)))
        x = number_exact(a.begin, a.end, exponent, x);
    *value = negative ? -x : x;
    return end;
}

char *integer_write(uint64_t n, char *out)
{
    char digits[20];
    int size = 0;
    do
        digits[size++] = (char)('0' + n % 10);
    while (n /= 10);
    while (size)
        *out++ = digits[--size];
    return out;
}

static double read_back(uint64_t m, int64_t power, fastfm_type real)
{
    double x;
    if (!nearest(m, power, &x)) {
        char digits[NUMBER_ROOM];
        x = number_exact(digits, integer_write(m, digits), power, x);
    }
    return real == FASTFM_F32 ? (double)(float)x : x;
}

/* x > 0 in n_digits digits, m * 10^power, the last one rounded. */
static uint64_t round_to(double x, int64_t n_digits, int64_t *power)
{
    *power = (int64_t)floor(log10(x)) + 1 - n_digits;
    for (;;) { /* twice where log10 rounded to the wrong side of a power of ten */
        const pair s = times_ten_to((pair){x, 0}, (int)-*power);
        const double below = floor(s.hi);
        const uint64_t m = (uint64_t)((int64_t)below + (int64_t)floor((s.hi - below) + s.lo + 0.5));
        if ((double)m >= TENS[n_digits - 1])
            return m;
        --*power;
    }
}

/* 123 * 10^-4 as 0.0123; from 1e16 and below 1e-4 as 1.23e-2. */
static char *write_decimal(uint64_t m, int64_t power, char *out)
{
    char digits[NUMBER_ROOM];
    const int n = (int)(integer_write(m, digits) - digits);
    const int64_t point = n + power; /* digits before the point */
    const int fixed = point > -4 && point <= 16;
    const int64_t shown = fixed ? point : 1;
    if (shown <= 0)
        *out++ = '0', *out++ = '.';
    for (int64_t i = min_i64(shown, 0); i < max_i64(n, shown); i++) {
        if (i == shown && shown > 0)
            *out++ = '.';
        *out++ = i >= 0 && i < n ? digits[i] : '0';
    }
    if (!fixed) {
        *out++ = 'e';
        if (point < 1)
            *out++ = '-';
        out = integer_write((uint64_t)(point < 1 ? 1 - point : point - 1), out);
    }
    return out;
}

char *number_write(double x, fastfm_type real, char *out)
{
    if (signbit(x))
        *out++ = '-', x = -x;
    if (x < 1e15 && x == (double)(int64_t)x)
        return integer_write((uint64_t)x, out);
    /* So many digits always survive, so many are always enough; fewer below the normal numbers. */
    const int is_float = real == FASTFM_F32;
    const int most = is_float ? 9 : 17;
    int n = x < (is_float ? (double)FLT_MIN : DBL_MIN) ? 1 : is_float ? 6 : 15;
    int64_t power;
    uint64_t m = round_to(x, n, &power);
    while (n < most && read_back(m, power, real) != x)
        m = round_to(x, ++n, &power);
    for (; m % 10 == 0; power++)
        m /= 10;
    return write_decimal(m, power, out);
}
