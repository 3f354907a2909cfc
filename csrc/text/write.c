/* fastfm_text_write: rows to text, in the form that parse.c reads: `label index:value ...`, or with fields
 * `label field:index:value ...`. It is serial, because a file is written piece by piece.
 *
 * The caller has checked the rows, and y and data hold finite numbers. Nothing here counts the room
 * in `out`: a label and the line end take at most 25 bytes, a value with its blank, field, index and
 * colons at most 56. */
#include "text/decimal.h"

int64_t fastfm_text_write(const fastfm_csr *X, int64_t begin, int64_t end, const double *y,
                          const int32_t *fields, int64_t first_index, char *out)
{
    const char *start = out;
    for (int64_t i = begin; i < end; i++) {
        const int64_t row_end = index_at(X->indptr, X->index_type, i + 1);
        out = number_write(y[i], FASTFM_F64, out);
        for (int64_t p = index_at(X->indptr, X->index_type, i); p < row_end; p++) {
            const int64_t j = index_at(X->indices, X->index_type, p);
            *out++ = ' ';
            if (fields != NULL) {
                out = integer_write((uint64_t)fields[j], out);
                *out++ = ':';
            }
            out = integer_write((uint64_t)(j + first_index), out);
            *out++ = ':';
            out = number_write(real_at(X->data, X->data_type, p), X->data_type, out);
        }
        *out++ = '\n';
    }
    return out - start;
}
