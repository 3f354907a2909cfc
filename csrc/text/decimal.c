/* Reads and writes decimal numbers.
 *
 * Reading. The digits are read as a whole number m < 10^19 and a power of ten. Then, from fast to slow:
 *
 *   1. m <= 2^53 and |power| <= 22: m and 10^|power| are exact doubles, so one product or quotient is
 *      rounded once (Clinger, "How to read floating point numbers accurately", 1990);
 *   2. else m * 10^power is computed as a pair of doubles, with a relative error below 2^-90. If all
 *      numbers within the error round to one double, it is that (Dekker, "A floating-point technique
 *      for extending the available precision", 1971);
 *   3. else number_exact compares whole numbers of any size (decimal_exact.c).
 *
 * A number with more than 19 digits lies between m and m + 1: if both round to one double, it is that.
 *
 * Writing. x is rounded to 15 digits (float: 6), which are read back. If that is not x, one digit more
 * is tried; 17 (float: 9) are always enough. */
#include "text/decimal.h"

#include <float.h>
#include <math.h>

/* The powers of ten that a double holds exactly. */
static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define MOST_TENS 22

/* ------------------------------------------------------------------------- pairs of doubles */

/* The number hi + lo. hi is the double nearest to it, and lo what is left. */
typedef struct {
    double hi, lo;
} pair;

/* larger + smaller without error, if |larger| >= |smaller|. */
static pair sum(double larger, double smaller)
{
    const double hi = larger + smaller;
    return (pair){hi, smaller - (hi - larger)};
}

/* a * b without error: each factor is split into halves of 26 bits, whose products are exact. */
static pair product(double a, double b)
{
    const double p = a * b, c = 134217729.0 * a, d = 134217729.0 * b; /* 2^27 + 1 */
    const double a1 = c - (c - a), a2 = a - a1, b1 = d - (d - b), b2 = b - b1;
    return (pair){p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2};
}

/* x * d and x / d, with a relative error of a few units of 2^-104. */
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

/* x * 10^power, with a relative error below 2^-90, unless the result is outside 1e-290..1e290. It takes at
 * most 16 exact powers of ten. Meanwhile a power of two keeps large and small numbers away from the
 * ends of the range, where products are not exact. */
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

/* Sets *x to m * 10^power, for m < 10^19; returns whether it is known to be the nearest double. If it is
 * not, *x is a guess. Steps 1 and 2. */
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
    const double slack = r.hi * 0x1p-90; /* the result is within r.lo -+ slack of r.hi */
    *x = r.hi;
    return r.hi > 1e-290 && r.hi < 1e290 && r.hi + (r.lo - slack) == r.hi &&
           r.hi + (r.lo + slack) == r.hi;
}

/* ----------------------------------------------------------------------------------------- reading */

/* The digits of a number, with a point or not. The first 19 of them, leading zeros not counted, make
 * the number m * 10^power. */
typedef struct {
    const char *begin, *end; /* of the digits and the point */
    uint64_t m;
    int64_t power;
    int has_digits; /* whether there is a digit */
    int has_more;   /* whether a digit other than 0 follows those of m */
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

/* Reads what may follow the digits: e, a sign or none, digits. If there are no digits, the number ends before
 * the e. An exponent of more than 15 digits is cut off: it means 0 or infinity in any case. */
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

/* ----------------------------------------------------------------------------------------- writing */

/* The number of type `real` that m * 10^power is read as. */
static double read_back(uint64_t m, int64_t power, fastfm_type real)
{
    double x;
    if (!nearest(m, power, &x)) {
        char digits[NUMBER_ROOM];
        x = number_exact(digits, integer_write(m, digits), power, x);
    }
    return real == FASTFM_F32 ? (double)(float)x : x;
}

/* Rounds x > 0 to n_digits digits: returns m, and x is about m * 10^power. m may have one
 * digit more. */
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

/* Writes m * 10^power: 123 * 10^-4 as 0.0123, but from 1e16 on and below 1e-4 in the form 1.23e-7. */
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
    /* n: digits that any normal number keeps when it is read and written again, so fewer are not tried.
     * A subnormal number may need fewer. `most` are always enough. */
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
