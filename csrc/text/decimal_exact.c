/* number_exact: the nearest double by comparison of whole numbers of any size.
 *
 * The decimal number D * 10^e lies between two neighbouring doubles, and is nearer to the lower one if it
 * is below their middle M * 2^p. To compare without any rounding, both sides are made whole numbers:
 *
 *     D * 10^e  <>  M * 2^p      is      D * 5^e * 2^(e - p)  <>  M
 *
 * where a negative power goes to the other side. From a guess the search goes up or down, double by
 * double, until the number lies between the middles on both sides of one. Guesses of
 * number_read are right or one double off. It is slow, and seldom needed: for numbers next to a
 * middle, with many digits, or at the ends of the range. David Gay's strtod ends in the same way. */
#include <math.h>
#include <string.h>

#include "text/decimal.h"

/* A middle of two doubles has at most 767 digits. So of the digits from the 800th on it only matters
 * whether one is not 0. */
#define MOST_DIGITS 800
#define LIMBS 200 /* 6400 bits; 801 digits times 2^1400, or 5^1125 * 2^1500, need less */
/* The bits of infinity. The bits of positive doubles, as whole numbers, are in the order of the doubles. */
#define INFINITE_BITS 0x7ff0000000000000u

/* A whole number in base 2^32, the lowest limb first. */
typedef struct {
    int n; /* limbs in use; the last one is not 0; 0 for the number 0 */
    uint32_t limb[LIMBS];
} whole;

/* x = x * factor + carry. */
static void multiply_add(whole *x, uint32_t factor, uint32_t carry)
{
    for (int i = 0; i < x->n; i++) {
        const uint64_t product = (uint64_t)x->limb[i] * factor + carry;
        x->limb[i] = (uint32_t)product;
        carry = (uint32_t)(product >> 32);
    }
    if (carry && x->n < LIMBS)
        x->limb[x->n++] = carry;
}

/* x = x * base^power, or x if power < 0. `largest` is base^per_step, the largest power that fits a limb. */
static void multiply_power(whole *x, uint32_t base, uint32_t largest, int per_step, int64_t power)
{
    for (; power >= per_step; power -= per_step)
        multiply_add(x, largest, 0);
    for (; power > 0; power--)
        multiply_add(x, base, 0);
}

static void multiply_5(whole *x, int64_t power) { multiply_power(x, 5, 1220703125, 13, power); }
static void multiply_2(whole *x, int64_t power) { multiply_power(x, 2, 1u << 31, 31, power); }

/* The sign of a - b. */
static int compare(const whole *a, const whole *b)
{
    if (a->n != b->n)
        return a->n > b->n ? 1 : -1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] > b->limb[i] ? 1 : -1;
    return 0;
}

/* The sign of number * 10^exponent - middle, where middle lies between the double with these bits and the
 * next one up. A double is mantissa * 2^(power + 1), so the middle is (2 mantissa + 1) * 2^power. */
static int compare_with_middle(const whole *number, int64_t exponent, uint64_t bits)
{
    const int64_t field = (int64_t)(bits >> 52), power = (field ? field : 1) - 1076;
    const uint64_t mantissa = (bits & 0xfffffffffffffu) | (field ? 1ull << 52 : 0);
    const uint64_t middle = 2 * mantissa + 1; /* times 2^power */
    whole left = *number, right = {0, {0}};
    multiply_add(&right, 1, (uint32_t)(middle >> 32));
    if (right.n == 0)
        multiply_add(&right, 1, (uint32_t)middle);
    else
        right.n = 2, right.limb[1] = right.limb[0], right.limb[0] = (uint32_t)middle;
    multiply_5(&left, exponent);
    multiply_5(&right, -exponent);
    multiply_2(&left, exponent - power);
    multiply_2(&right, power - exponent);
    return compare(&left, &right);
}

/* Goes from the double `bits` to the nearest one. A number in the middle goes to the even neighbour. */
static double nearest_from(const whole *number, int64_t exponent, uint64_t bits)
{
    double value;
    for (;;) {
        const int odd = (int)(bits & 1);
        const int above = compare_with_middle(number, exponent, bits);
        if (above > 0 || (above == 0 && odd)) {
            if (++bits == INFINITE_BITS)
                break;
            continue;
        }
        if (bits == 0)
            break;
        const int below = compare_with_middle(number, exponent, bits - 1);
        if (below > 0 || (below == 0 && !odd))
            break;
        bits--;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Digits are taken up to MOST_DIGITS, leading zeros not counted; if any of the rest is not 0, a 1 stands
 * for them. The two early returns are far outside the range of doubles. */
double number_exact(const char *digits, const char *end, int64_t exponent, double guess)
{
    whole number = {0, {0}};
    int64_t n_digits = 0;
    int past_point = 0, rest = 0;
    for (; digits < end; digits++) {
        if (*digits == '.') {
            past_point = 1;
            continue;
        }
        if (n_digits < MOST_DIGITS) {
            multiply_add(&number, 10, (uint32_t)(*digits - '0'));
            n_digits += number.n > 0;
            exponent -= past_point;
        } else {
            rest |= *digits != '0';
            exponent += !past_point;
        }
    }
    if (number.n == 0 || n_digits + exponent < -323)
        return 0;
    if (n_digits + exponent > 309)
        return INFINITY;
    if (rest) {
        multiply_add(&number, 10, 1);
        exponent--;
    }
    uint64_t bits;
    memcpy(&bits, &guess, sizeof bits);
    return nearest_from(&number, exponent, bits < INFINITE_BITS ? bits : INFINITE_BITS - 1);
}
