/* Reads a line of text into the room of its block. The last byte of the text is '\n'; every loop below stops
 * there, so none needs the end of the text.
 *
 * The functions take the place where they begin to read, and return the place behind what they have
 * read, or NULL. read_label, read_value and line_read note a fault in the block before they return NULL. */
#include "text/line.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "text/decimal.h"

#define MOST_INDEX_DIGITS 18 /* of an index or field; more might not fit int64 */

/* A '\r' counts as a blank, so that lines may end in "\r\n". So does a comma: some programs write one instead
 * of a blank, and it is no part of a number. */
static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == ','; }
static int ends_line(char c) { return c == '\n' || c == '#'; }
static int ends_token(char c) { return is_blank(c) || ends_line(c); }

static const char *skip_blanks(const char *p)
{
    while (is_blank(*p))
        p++;
    return p;
}

/* Whether a token has a ':' in it, as each but a label has. */
static int has_colon(const char *p)
{
    while (*p != ':' && !ends_token(*p))
        p++;
    return *p == ':';
}

/* Notes the block's fault: at which byte, and what was expected there. */
static const char *fault(const fastfm_text *text, fastfm_text_block *block, const char *at,
                         const char *expected)
{
    block->fault_at = at - text->bytes;
    block->expected = expected;
    return NULL;
}

/* A whole number before a colon, and the colon. Too many digits wrap around, and are then refused. */
static const char *read_integer(const char *p, int64_t *value)
{
    const char *begin = p;
    uint64_t n = 0;
    for (unsigned digit; (digit = (unsigned)(unsigned char)*p - '0') <= 9; p++)
        n = 10 * n + digit;
    *value = (int64_t)n;
    return p > begin && p - begin <= MOST_INDEX_DIGITS && *p == ':' ? p + 1 : NULL;
}

/* A number that is finite in the type and ends its token. One digit alone is most common, and short. */
static const char *read_real(const char *p, fastfm_type type, double *value)
{
    const unsigned digit = (unsigned)(unsigned char)*p - '0';
    if (digit <= 9 && ends_token(p[1])) {
        *value = digit;
        return p + 1;
    }
    p = number_read(p, value);
    const double size = p == NULL ? 0 : fabs(type == FASTFM_F32 ? (double)(float)*value : *value);
    return p != NULL && size <= DBL_MAX && ends_token(*p) ? p : NULL;
}

/* One `index:value` or `field:index:value`, which goes to the block's next place in the arrays. */
static const char *read_value(const fastfm_text *text, fastfm_text_block *block, const char *p)
{
    int64_t index, field = 0;
    double value;
    const char *at = p;
    if (text->has_fields) {
        p = read_integer(at, &field);
        if (p == NULL || field >= INT32_MAX)
            return fault(text, block, at, "field:index:value with a field below 2^31 - 1");
        at = p;
    }
    if ((p = read_integer(at, &index)) == NULL)
        return fault(text, block, at, "index:value with an index of at most 18 digits");
    index -= text->first_index;
    if (index < 0)
        return fault(text, block, at, "an index of at least 1");
    if (index >= text->n_features)
        return fault(text, block, at, EXPECTED_INDEX);
    at = p;
    if ((p = read_real(at, text->data_type, &value)) == NULL)
        return fault(text, block, at, "a finite number as value");
    const int64_t place = block->value + block->nnz;
    if (text->has_fields)
        text->fields[place] = (int32_t)field;
    set_index(text->indices, text->index_type, place, index);
    set_real(text->data, text->data_type, place, value);
    block->least = min_i64(block->least, index);
    block->largest = max_i64(block->largest, index);
    block->nnz++;
    return p;
}

/* A label, and the number of a query behind it, which is not kept: rows are scored one by one. */
static const char *read_label(const fastfm_text *text, fastfm_text_block *block, const char *p,
                              double *label)
{
    const char *at = p;
    *label = NAN;
    if (text->has_labels) {
        if (has_colon(at))
            return fault(text, block, at, EXPECTED_LABEL);
        if ((p = read_real(at, FASTFM_F64, label)) == NULL)
            return fault(text, block, at, "a finite number as label");
        p = skip_blanks(p);
        if (!ends_line(*p) && !has_colon(p) && memchr(at, ',', (size_t)(p - at)) != NULL)
            return fault(text, block, at, EXPECTED_ONE_LABEL);
    }
    if (strncmp(p, "qid:", 4) != 0)
        return p;
    at = p, p += 4 + (p[4] == '-');
    const char *digits = p;
    while (*p >= '0' && *p <= '9')
        p++;
    return p > digits && ends_token(*p) ? p : fault(text, block, at, "qid: and a whole number");
}

const char *line_read(const fastfm_text *text, fastfm_text_block *block, const char *p)
{
    const int64_t row = block->row + block->n_rows;
    p = skip_blanks(p);
    if (!ends_line(*p)) {
        if ((p = read_label(text, block, p, &text->y[row])) == NULL)
            return NULL;
        for (p = skip_blanks(p); !ends_line(*p); p = skip_blanks(p))
            if ((p = read_value(text, block, p)) == NULL)
                return NULL;
        /* Values of the block so far; parse.c adds those before it. */
        text->row_ends[row] = block->nnz;
        text->lines[row] = block->line + block->n_lines;
        block->n_rows++;
    }
    block->n_lines++;
    return *p == '\n' ? p + 1
                      : (const char *)memchr(p, '\n', (size_t)(text->bytes + block->end - p)) + 1;
}

int text_has_labels(const char *bytes, int64_t n_bytes)
{
    for (const char *p = bytes, *end = bytes + n_bytes; p < end; p++) {
        p = skip_blanks(p);
        if (!ends_line(*p))
            return !has_colon(p);
        p = (const char *)memchr(p, '\n', (size_t)(end - p));
    }
    return -1;
}
