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
#include <string.h>

#include "base/parallel.h"
#include "text/line.h"

#define BLOCK_BYTES ((int64_t)1 << 18)
#define WORK_PER_BYTE 4.0 /* multiply-adds that parsing a byte is worth */

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
        p = line_read(text, &block, p);
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
    if (text->has_labels < 0)
        text->has_labels = text_has_labels(text->bytes, text->n_bytes);
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
