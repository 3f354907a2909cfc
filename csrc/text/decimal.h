/* Decimal numbers to binary and back, exactly rounded, whatever the locale. Text ends where its
 * line does: a '\n' after it can always be read. */
#ifndef FASTFM_TEXT_NUMBER_H
#define FASTFM_TEXT_NUMBER_H

#include "base/common.h"

#define NUMBER_ROOM 32 /* bytes that number_write may need */

/* The end of the number that begins at `text`, or NULL if none does: a sign, digits with or without
 * a point, an exponent. *value is the double nearest to it, ties to even; beyond the largest,
 * infinity. */
const char *number_read(const char *text, double *value);

/* Writes a finite x of type `real` in the fewest digits whose rounding is read back as x (next to a
 * power of two one more than would do), and returns the end. */
char *number_write(double x, fastfm_type real, char *out);
char *integer_write(uint64_t n, char *out);

/* The double nearest to the number in [digits, end), which may hold a point, times 10^exponent.
 * guess: not far from it. */
double number_exact(const char *digits, const char *end, int64_t exponent, double guess);

#endif
