/* Random numbers that are a function of where they are used, so no order of threads can change them:
 *
 *     Philox4x32-10 (Salmon and others 2011) of (seed; iteration, stream, index, part)
 *
 * log, exp and the sine are our own, from additions, multiplications, divisions and square roots: their
 * bits do not depend on libm. Each is off by a few roundings.
 *
 * Words:
 *   stream  what the numbers are for; index, part: which of them
 *   place   all of (seed; iteration, stream, index); a part gives four numbers */
#ifndef FASTFM_RANDOM_H
#define FASTFM_RANDOM_H

#include <math.h>
#include <string.h>

#include "base/common.h"

typedef struct {
    uint64_t seed;
    uint32_t iteration, stream, index;
} random_place;

/* Four random numbers of 32 bits. */
FORCE_INLINE void random_words(const random_place *place, uint32_t part, uint32_t words[4])
{
    uint32_t c0 = place->iteration, c1 = place->stream, c2 = place->index, c3 = part;
    uint32_t k0 = (uint32_t)place->seed, k1 = (uint32_t)(place->seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)UINT32_C(0xD2511F53) * c0;
        const uint64_t b = (uint64_t)UINT32_C(0xCD9E8D57) * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* In (0, 1), a multiple of 2^-33. */
FORCE_INLINE double random_unit(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

/* The natural logarithm of a normal x > 0: x = 2^n m with m near 1, and log m = 2 atanh((m - 1) / (m + 1)). */
FORCE_INLINE double random_log(double x)
{
    uint64_t bits;
    int64_t n;
    double m, s, square, sum = 0;
    memcpy(&bits, &x, sizeof bits);
    n = (int64_t)(bits >> 52) - 1023;
    bits = (bits & UINT64_C(0xFFFFFFFFFFFFF)) | UINT64_C(0x3FF0000000000000);
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        n++;
    }
    s = (m - 1) / (m + 1);
    square = s * s;
    for (int t = 21; t >= 1; t -= 2)
        sum = sum * square + 1.0 / t;
    return (double)n * 0x1.62e42fefa39efp-1 + 2 * s * sum;
}

/* exp(x) for x in [-700, 0]; 0 below. */
FORCE_INLINE double random_exp(double x)
{
    const double shifted = x * 0x1.71547652b82fep0 + 0x1.8p52, whole = shifted - 0x1.8p52;
    const double r = (x - whole * 0x1.62e42feep-1) - whole * 0x1.a39ef35793c76p-33;
    double sum = 1, power;
    uint64_t bits;
    if (!(x >= -700))
        return 0;
    for (int t = 14; t > 0; t--)
        sum = 1 + sum * r / t;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

/* sin and cos of 2 pi u for u in (0, 1): of the angle to the nearest quarter turn, by Taylor's series. */
FORCE_INLINE void random_sincos(double u, double *sine, double *cosine)
{
    const double quarters = floor(4 * u + 0.5);
    const double r = (4 * u - quarters) * 0x1.921fb54442d18p0, square = r * r;
    const int turn = (int)quarters & 3;
    double s = 0, c = 0;
    for (int t = 17; t >= 3; t -= 2)
        s = (1 - s) * square / (t * (t - 1));
    for (int t = 16; t >= 2; t -= 2)
        c = (1 - c) * square / (t * (t - 1));
    s = r * (1 - s);
    c = 1 - c;
    *sine = turn == 0 ? s : turn == 1 ? c : turn == 2 ? -s : -c;
    *cosine = turn == 0 ? c : turn == 1 ? -s : turn == 2 ? -c : s;
}

/* Four independent normal numbers (Box and Muller). */
FORCE_INLINE void random_normals(const random_place *place, uint32_t part, double normals[4])
{
    uint32_t words[4];
    random_words(place, part, words);
    for (int a = 0; a < 4; a += 2) {
        const double radius = sqrt(-2 * random_log(random_unit(words[a])));
        double sine, cosine;
        random_sincos(random_unit(words[a + 1]), &sine, &cosine);
        normals[a] = radius * cosine;
        normals[a + 1] = radius * sine;
    }
}

FORCE_INLINE double random_normal(const random_place *place)
{
    double normals[4];
    random_normals(place, 0, normals);
    return normals[0];
}

/* Gamma of this shape, at least 1, and rate 1 (Marsaglia and Tsang 2000). */
FORCE_INLINE double random_gamma(const random_place *place, double shape)
{
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (uint32_t part = 0; part < 1000; part += 2) {
        double normals[4], x, v;
        uint32_t words[4];
        random_normals(place, part, normals);
        random_words(place, part + 1, words);
        x = normals[0];
        v = 1 + c * x;
        v = v * v * v;
        if (v > 0 &&
            random_log(random_unit(words[0])) < 0.5 * x * x + d - d * v + d * random_log(v))
            return d * v;
    }
    return d; /* never: a try succeeds with a probability of at least 0.95 */
}

/* N(0, 1) given that it is above `least`. Below 1/2 normals are tried; above, exponential numbers that
 * are accepted at least three times in four (Robert 1995). So the tail costs no more than the middle. */
FORCE_INLINE double random_normal_above(const random_place *place, double least)
{
    const double rate = (least + sqrt(least * least + 4)) / 2;
    for (uint32_t part = 0; part < 1000; part++) {
        if (least < 0.5) {
            double normals[4];
            random_normals(place, part, normals);
            for (int t = 0; t < 4; t++)
                if (normals[t] > least)
                    return normals[t];
        } else {
            uint32_t words[4];
            random_words(place, part, words);
            for (int t = 0; t < 4; t += 2) {
                const double above = -random_log(random_unit(words[t])) / rate;
                const double off = above + (least - rate);
                if (random_unit(words[t + 1]) < random_exp(-0.5 * off * off))
                    return least + above;
            }
        }
    }
    return least > 0 ? least : 0; /* never */
}

/* N(0, 1) given that it is between low and high; either may be infinite. A narrow interval is tried evenly,
 * a wide one by normals about zero or by exponential numbers from its nearer end (Robert 1995). At least
 * about two tries in five are accepted. */
FORCE_INLINE double random_normal_between(const random_place *place, double low, double high)
{
    const double sign = low + high < 0 ? -1 : 1;
    const double near = sign > 0 ? low : -high, far = sign > 0 ? high : -low;
    const double rate = (near + sqrt(near * near + 4)) / 2, width = far - near;
    if (far == INFINITY)
        return sign * random_normal_above(place, near);
    for (uint32_t part = 0; part < 1000; part++) {
        double normals[4];
        uint32_t words[4];
        if (near < 0 && width > 2.5) {
            random_normals(place, part, normals);
            for (int t = 0; t < 4; t++)
                if (normals[t] > near && normals[t] < far)
                    return sign * normals[t];
            continue;
        }
        random_words(place, part, words);
        for (int t = 0; t < 4; t += 2) {
            const int is_even = near < 0 || width * rate < 1;
            const double step =
                is_even ? width * random_unit(words[t]) : -random_log(random_unit(words[t])) / rate;
            const double x = near + step, off = step + (near - rate);
            const double wanted = near < 0  ? -0.5 * x * x
                                  : is_even ? -0.5 * step * (near + x)
                                            : -0.5 * off * off;
            if (step < width && random_unit(words[t + 1]) < random_exp(wanted))
                return sign * x;
        }
    }
    return sign * (near + width / 2); /* never */
}

#endif
