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

#define RANDOM_PARTS 4 /* the most parts that are made at once: as vectors */

/* The random numbers of 32 bits of parts [first, first + n): number t of part first + p is words[t][p]. */
FORCE_INLINE void random_words(const random_place *place, uint32_t first, int n,
                               uint32_t words[4][RANDOM_PARTS])
{
    uint32_t k0 = (uint32_t)place->seed, k1 = (uint32_t)(place->seed >> 32);
    for (int p = 0; p < n; p++) {
        words[0][p] = place->iteration;
        words[1][p] = place->stream;
        words[2][p] = place->index;
        words[3][p] = first + (uint32_t)p;
    }
    for (int round = 0; round < 10; round++) {
        for (int p = 0; p < n; p++) {
            const uint64_t a = (uint64_t)UINT32_C(0xD2511F53) * words[0][p];
            const uint64_t b = (uint64_t)UINT32_C(0xCD9E8D57) * words[2][p];
            words[0][p] = (uint32_t)(b >> 32) ^ words[1][p] ^ k0;
            words[1][p] = (uint32_t)b;
            words[2][p] = (uint32_t)(a >> 32) ^ words[3][p] ^ k1;
            words[3][p] = (uint32_t)a;
        }
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
}

/* In (0, 1), a multiple of 2^-33. */
FORCE_INLINE double random_unit(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

/* The natural logarithm of a normal x > 0: x = 2^n m with m in [sqrt(1/2), sqrt(2)), and
 * log m = 2 atanh((m - 1) / (m + 1)). */
FORCE_INLINE double random_log(double x)
{
    uint64_t bits, above;
    double m, n, s, square, sum = 0;
    memcpy(&bits, &x, sizeof bits);
    above = bits - UINT64_C(0x3FE6A09E667F3BCD); /* sqrt(1/2) */
    n = (double)((int32_t)(above >> 32) >> 20);
    bits -= above & UINT64_C(0xFFF0000000000000);
    memcpy(&m, &bits, sizeof m);
    s = (m - 1) / (m + 1);
    square = s * s;
    for (int t = 21; t >= 1; t -= 2)
        sum = sum * square + 1.0 / t;
    return n * 0x1.62e42fefa39efp-1 + 2 * s * sum;
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

/* sin and cos of 2 pi u for u in (0, 1): of the angle to the nearest quarter turn, by Taylor's series.
 * After an odd quarter they change places; their signs are those of the half. */
FORCE_INLINE void random_sincos(double u, double *sine, double *cosine)
{
    const double shifted = 4 * u + 0x1.8p52, quarters = shifted - 0x1.8p52; /* rounds */
    const double r = (4 * u - quarters) * 0x1.921fb54442d18p0, square = r * r;
    double s = 0, c = 0;
    uint64_t quarter, of_sine, of_cosine, swapped;
    for (int t = 17; t >= 3; t -= 2)
        s = (1 - s) * square * (1.0 / (t * (t - 1)));
    for (int t = 16; t >= 2; t -= 2)
        c = (1 - c) * square * (1.0 / (t * (t - 1)));
    s = r * (1 - s);
    c = 1 - c;
    memcpy(&quarter, &shifted, sizeof quarter);
    memcpy(&of_sine, &s, sizeof of_sine);
    memcpy(&of_cosine, &c, sizeof of_cosine);
    swapped = (of_sine ^ of_cosine) & (0 - (quarter & 1));
    of_sine ^= swapped ^ (quarter & 2) << 62;
    of_cosine ^= swapped ^ ((quarter + 1) & 2) << 62;
    memcpy(sine, &of_sine, sizeof of_sine);
    memcpy(cosine, &of_cosine, sizeof of_cosine);
}

/* 4 n independent normal numbers (Box and Muller): four of each of the parts [first, first + n). */
FORCE_INLINE void random_normals(const random_place *place, uint32_t first, int n, double *normals)
{
    uint32_t words[4][RANDOM_PARTS];
    double sines[2 * RANDOM_PARTS], cosines[2 * RANDOM_PARTS];
    double radii[2 * RANDOM_PARTS], turns[2 * RANDOM_PARTS];
    random_words(place, first, n, words);
    for (int p = 0; p < n; p++) {
        radii[p] = random_unit(words[0][p]);
        turns[p] = random_unit(words[1][p]);
        radii[n + p] = random_unit(words[2][p]);
        turns[n + p] = random_unit(words[3][p]);
    }
    for (int t = 0; t < 2 * n; t++) {
        const double radius = sqrt(-2 * random_log(radii[t]));
        double sine, cosine;
        random_sincos(turns[t], &sine, &cosine);
        sines[t] = radius * sine;
        cosines[t] = radius * cosine;
    }
    for (int p = 0; p < n; p++) {
        normals[4 * p] = cosines[p];
        normals[4 * p + 1] = sines[p];
        normals[4 * p + 2] = cosines[n + p];
        normals[4 * p + 3] = sines[n + p];
    }
}

FORCE_INLINE double random_normal(const random_place *place)
{
    double normals[4];
    random_normals(place, 0, 1, normals);
    return normals[0];
}

/* Gamma of this shape, at least 1, and rate 1 (Marsaglia and Tsang 2000). */
FORCE_INLINE double random_gamma(const random_place *place, double shape)
{
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (uint32_t part = 0; part < 1000; part += 2) {
        double normals[4], x, v;
        uint32_t words[4][RANDOM_PARTS];
        random_normals(place, part, 1, normals);
        random_words(place, part + 1, 1, words);
        x = normals[0];
        v = 1 + c * x;
        v = v * v * v;
        if (v > 0 &&
            random_log(random_unit(words[0][0])) < 0.5 * x * x + d - d * v + d * random_log(v))
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
            random_normals(place, part, 1, normals);
            for (int t = 0; t < 4; t++)
                if (normals[t] > least)
                    return normals[t];
        } else {
            uint32_t words[4][RANDOM_PARTS];
            random_words(place, part, 1, words);
            for (int t = 0; t < 4; t += 2) {
                const double above = -random_log(random_unit(words[t][0])) / rate;
                const double off = above + (least - rate);
                if (random_unit(words[t + 1][0]) < random_exp(-0.5 * off * off))
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
    const double begin = sign > 0 ? low : -high, end = sign > 0 ? high : -low;
    const double rate = (begin + sqrt(begin * begin + 4)) / 2, width = end - begin;
    if (end == INFINITY)
        return sign * random_normal_above(place, begin);
    for (uint32_t part = 0; part < 1000; part++) {
        double normals[4];
        uint32_t words[4][RANDOM_PARTS];
        if (begin < 0 && width > 2.5) {
            random_normals(place, part, 1, normals);
            for (int t = 0; t < 4; t++)
                if (normals[t] > begin && normals[t] < end)
                    return sign * normals[t];
            continue;
        }
        random_words(place, part, 1, words);
        for (int t = 0; t < 4; t += 2) {
            const int is_even = begin < 0 || width * rate < 1;
            const double step = is_even ? width * random_unit(words[t][0])
                                        : -random_log(random_unit(words[t][0])) / rate;
            const double x = begin + step, off = step + (begin - rate);
            const double wanted = begin < 0 ? -0.5 * x * x
                                  : is_even ? -0.5 * step * (begin + x)
                                            : -0.5 * off * off;
            if (step < width && random_unit(words[t + 1][0]) < random_exp(wanted))
                return sign * x;
        }
    }
    return sign * (begin + width / 2); /* never */
}

#endif
