/* Decimal numbers to binary and back, exactly rounded, whatever the locale.
 *
 * Reading: the result is the double nearest to the decimal number, ties to even. decimal.c has the
 * fast ways, decimal_exact.c the one that always works. Writing: the fewest digits that are read back
 * as the same number. No text needs a '\0' at its end: any character
 * that is no part of a number ends it, such as '\n'. */
#ifndef FASTFM_DECIMAL_H
#define FASTFM_DECIMAL_H

#include "base/common.h"

#define NUMBER_ROOM 32 /* bytes that number_write and integer_write need at most */

/* Reads a number at `text`: a sign or none, digits with or without a point, an exponent or none. *value
 * is the nearest double; a number beyond the largest double becomes infinity. Returns the place
 * behind the number; or NULL if there is no digit, and *value is left alone. */
const char *number_read(const char *text, double *value);

/* Writes a finite x of type `real` in the fewest digits that are read back as x; next to a power of two it
 * may be one digit more. Returns the place behind the last character; no '\0' is written. */
char *number_write(double x, fastfm_type real, char *out);
char *integer_write(uint64_t n, char *out);

/* The double nearest to D * 10^exponent, where D is the number in [digits, end): digits, with at most one
 * point among them. guess: a double near the result, from which the search starts; the farther it is
 * off, the longer the search takes. */
double number_exact(const char *digits, const char *end, int64_t exponent, double guess);

#endif
