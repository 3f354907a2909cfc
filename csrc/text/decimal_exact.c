/* The last resort of number_read: compares the decimal number with the middle between two
 * neighbouring doubles, both as whole numbers of any size. */
#include <math.h>
#include <string.h>

#include "text/decimal.h"

#define MOST_DIGITS \
    800           /* the middle of two doubles has at most 767; of the rest, whether it is 0 */
#define LIMBS 200 /* 6400 bits; 801 digits times 2^1400, or 5^1125 * 2^1500, need less */
#define INFINITE_BITS 0x7ff0000000000000u

typedef struct {
    int n; /* limbs in use; the last one is not 0 */
    uint32_t limb[LIMBS];
} whole;

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

static void multiply_power(whole *x, uint32_t base, uint32_t largest, int per_step, int64_t power)
{
    for (; power >= per_step; power -= per_step)
        multiply_add(x, largest, 0);
    for (; power > 0; power--)
        multiply_add(x, base, 0);
}

static void multiply_5(whole *x, int64_t power) { multiply_power(x, 5, 1220703125, 13, power); }
static void multiply_2(whole *x, int64_t power) { multiply_power(x, 2, 1u << 31, 31, power); }

static int compare(const whole *a, const whole *b)
{
    if (a->n != b->n)
        return a->n > b->n ? 1 : -1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] > b->limb[i] ? 1 : -1;
    return 0;
}

/* The sign of number * 10^exponent - middle, the middle of the double with these bits and the next
 * one up. */
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
