/* Text to rows, in two passes over blocks of lines that threads share.
 *
 *     count   each block counts its line ends and colons. There are at most as many rows as lines, and
 *             at most one value for each colon (two colons with fields). So each block gets its own
 *             room in the arrays, and the caller allocates the sum
 *     parse   each block writes rows and values into its room, from its start. Comments and blank
 *             lines leave gaps at the ends; one thread then moves the later blocks up
 *
 * A block goes from the first line that begins at or after a multiple of BLOCK_BYTES to the next
 * such line: so blocks depend on the text alone, and a long line makes some of them empty. The last
 * byte of the text is '\n'. Every loop below stops there, so none needs the end of the text. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "text/decimal.h"

#define BLOCK_BYTES ((int64_t)1 << 18)
#define WORK_PER_BYTE 4.0    /* multiply-adds that parsing a byte is worth */
#define MOST_INDEX_DIGITS 18 /* of an index or field; more might not fit int64 */

int64_t fastfm_text_blocks(int64_t n_bytes) { return n_bytes / BLOCK_BYTES + 1; }

/* The offset of the first line that begins at offset `from` or later; n_bytes if there is none. */
static int64_t line_start(const fastfm_text *text, int64_t from)
{
    if (from == 0 || from >= text->n_bytes)
        return min_i64(from, text->n_bytes);
    const char *p = text->bytes + from - 1;
    p = (const char *)memchr(p, '\n', (size_t)(text->n_bytes - from + 1));
    return p == NULL ? text->n_bytes : p + 1 - text->bytes;
}

/* Sets the block's borders and counts. At most 255 bytes are summed in bytes, which cannot overflow, and
 * which compilers make vector instructions of. */
static void count_block(void *context, int64_t index, int thread)
{
    const fastfm_text *text = (const fastfm_text *)context;
    fastfm_text_block *block = &text->blocks[index];
    const char *p = text->bytes + line_start(text, index * BLOCK_BYTES);
    const char *end = text->bytes + line_start(text, (index + 1) * BLOCK_BYTES);
    int64_t n_lines = 0, n_colons = 0;
    (void)thread;
    memset(block, 0, sizeof *block);
    block->begin = p - text->bytes, block->end = end - text->bytes;
    while (p < end) {
        const char *stop = p + min_i64(end - p, 255);
        uint8_t lines = 0, colons = 0;
        for (; p < stop; p++) {
            lines = (uint8_t)(lines + (*p == '\n'));
            colons = (uint8_t)(colons + (*p == ':'));
        }
        n_lines += lines, n_colons += colons;
    }
    block->n_lines = block->n_rows = n_lines;
    block->nnz = text->has_fields ? n_colons / 2 : n_colons;
}

fastfm_status fastfm_text_count(fastfm_text *text, int num_threads)
{
    const int64_t n_blocks = fastfm_text_blocks(text->n_bytes);
    memset(&text->all, 0, sizeof text->all);
    if (text->n_bytes > 0 && text->bytes[text->n_bytes - 1] != '\n')
        return FASTFM_BAD_TEXT;
    parallel_for(n_blocks, count_block, text, parallel_threads(num_threads, (double)text->n_bytes));
    for (int64_t i = 0; i < n_blocks; i++) {
        fastfm_text_block *block = &text->blocks[i];
        block->line = text->all.n_lines, text->all.n_lines += block->n_lines;
        block->row = text->all.n_rows, text->all.n_rows += block->n_rows;
        block->value = text->all.nnz, text->all.nnz += block->nnz;
    }
    return FASTFM_OK;
}

/* A '\r' counts as a blank, so that lines may end in "\r\n". */
static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r')
        p++;
    return p;
}

static int ends_line(char c) { return c == '\n' || c == '#'; }
static int ends_token(char c) { return c == ' ' || c == '\t' || c == '\r' || ends_line(c); }

/* ---------------------------------------------------------------------------------- reading a line
 *
 * Each function takes the place where it begins to read, and returns the place behind what it has
 * read, or NULL. read_value and read_line note a fault in the block before they return NULL. */

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
        return fault(text, block, at,
                     strncmp(at, "qid:", 4) == 0
                         ? "index:value; qid is not supported"
                         : "index:value with an index of at most 18 digits");
    index -= text->first_index;
    if (index < 0)
        return fault(text, block, at, "an index of at least 1");
    if (index >= text->n_features)
        return fault(text, block, at, FASTFM_TEXT_BEYOND);
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

/* One line. It is a row unless it is blank or a comment. row_ends counts the values of the block so far;
 * append_block adds those before it. */
static const char *read_line(const fastfm_text *text, fastfm_text_block *block, const char *p)
{
    const int64_t row = block->row + block->n_rows;
    p = skip_blanks(p);
    if (!ends_line(*p)) {
        const char *label = p;
        p = read_real(p, FASTFM_F64, &text->y[row]);
        if (p == NULL)
            return fault(text, block, label, "a finite number as label");
        for (p = skip_blanks(p); !ends_line(*p); p = skip_blanks(p))
            if ((p = read_value(text, block, p)) == NULL)
                return NULL;
        text->row_ends[row] = block->nnz;
        text->lines[row] = block->line + block->n_lines;
        block->n_rows++;
    }
    block->n_lines++;
    return *p == '\n' ? p + 1
                      : (const char *)memchr(p, '\n', (size_t)(text->bytes + block->end - p)) + 1;
}

/* Parses the lines of a block up to its first fault. It works on a copy of the block's struct, because
 * neighbours in the array share cache lines, which threads would write at the same time. */
static void parse_block(void *context, int64_t index, int thread)
{
    const fastfm_text *text = (const fastfm_text *)context;
    fastfm_text_block block = text->blocks[index];
    (void)thread;
    block.n_lines = block.n_rows = block.nnz = 0;
    block.least = INT64_MAX, block.largest = -1;
    const char *p = text->bytes + block.begin, *end = text->bytes + block.end;
    while (p != NULL && p < end)
        p = read_line(text, &block, p);
    text->blocks[index] = block;
}

/* Moves n entries of an array from place `from` down to place `to`. */
static void move_entries(void *array, size_t size, int64_t to, int64_t from, int64_t n)
{
    if (to != from && n > 0)
        memmove((char *)array + (size_t)to * size, (char *)array + (size_t)from * size,
                (size_t)n * size);
}

/* Appends the block's rows and values to those of the blocks before it, and its counts to text->all. */
static void append_block(fastfm_text *text, const fastfm_text_block *block)
{
    fastfm_text_block *all = &text->all;
    move_entries(text->y, sizeof *text->y, all->n_rows, block->row, block->n_rows);
    move_entries(text->row_ends, sizeof *text->row_ends, all->n_rows, block->row, block->n_rows);
    move_entries(text->lines, sizeof *text->lines, all->n_rows, block->row, block->n_rows);
    move_entries(text->indices, index_size(text->index_type), all->nnz, block->value, block->nnz);
    move_entries(text->data, real_size(text->data_type), all->nnz, block->value, block->nnz);
    if (text->has_fields)
        move_entries(text->fields, sizeof *text->fields, all->nnz, block->value, block->nnz);
    for (int64_t i = all->n_rows; i < all->n_rows + block->n_rows; i++)
        text->row_ends[i] += text->first_value + all->nnz;
    all->n_lines += block->n_lines, all->n_rows += block->n_rows, all->nnz += block->nnz;
    all->least = min_i64(all->least, block->least);
    all->largest = max_i64(all->largest, block->largest);
}

/* Blocks are appended in order, and the first one with a fault ends the call: so the fault is the first of
 * the text, whichever thread found one first. */
fastfm_status fastfm_text_parse(fastfm_text *text, int num_threads)
{
    const int64_t n_blocks = fastfm_text_blocks(text->n_bytes);
    parallel_for(n_blocks, parse_block, text,
                 parallel_threads(num_threads, WORK_PER_BYTE * (double)text->n_bytes));
    memset(&text->all, 0, sizeof text->all);
    text->all.least = INT64_MAX, text->all.largest = -1;
    for (int64_t i = 0; i < n_blocks; i++) {
        append_block(text, &text->blocks[i]);
        if (text->blocks[i].expected != NULL) {
            text->all.fault_at = text->blocks[i].fault_at;
            text->all.expected = text->blocks[i].expected;
            return FASTFM_BAD_TEXT;
        }
    }
    return text->index_type == FASTFM_I32 && text->all.largest > INT32_MAX ? FASTFM_WIDE_INDEX
                                                                           : FASTFM_OK;
}

/* Serial and in the order of the text, so the first conflict is always the same one. */
int64_t fastfm_text_conflict(const fastfm_text *text, int64_t first_line, int32_t *field_of,
                             int64_t *line_of)
{
    int64_t p = 0;
    for (int64_t i = 0; i < text->all.n_rows; i++) {
        for (const int64_t end = text->row_ends[i] - text->first_value; p < end; p++) {
            const int64_t j = index_at(text->indices, text->index_type, p);
            if (field_of[j] == text->fields[p])
                continue;
            if (field_of[j] >= 0)
                return p;
            field_of[j] = text->fields[p];
            line_of[j] = first_line + text->lines[i];
        }
    }
    return -1;
}
