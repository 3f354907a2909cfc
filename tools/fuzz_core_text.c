/* Text to rows; rows that are read are written, and read again to the same bits. */
#include "fuzz_core.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static fastfm_text parsed(const char *bytes, int64_t n_bytes, const fastfm_text *options,
                          int num_threads, fastfm_status *status)
{
    fastfm_text text = *options;
    char *own = (char *)exactly(n_bytes, 1);
    if (n_bytes > 0)
        memcpy(own, bytes, (size_t)n_bytes);
    text.bytes = own, text.n_bytes = n_bytes;
    text.blocks = (fastfm_text_block *)exactly(fastfm_text_blocks(n_bytes), sizeof *text.blocks);
    *status = fastfm_text_count(&text, num_threads);
    CHECK((*status == FASTFM_OK) == (n_bytes == 0 || bytes[n_bytes - 1] == '\n'));
    text.y = (double *)exactly(text.all.n_rows, 8);
    text.row_ends = (int64_t *)exactly(text.all.n_rows, 8);
    text.lines = (int64_t *)exactly(text.all.n_rows, 8);
    text.indices = exactly(text.all.nnz, type_size(text.index_type));
    text.data = exactly(text.all.nnz, type_size(text.data_type));
    text.fields = text.has_fields ? (int32_t *)exactly(text.all.nnz, 4) : NULL;
    if (*status == FASTFM_OK)
        *status = fastfm_text_parse(&text, num_threads);
    return text;
}

static void text_free(fastfm_text *text)
{
    free((void *)(uintptr_t)text->bytes);
    free(text->blocks), free(text->y), free(text->row_ends), free(text->lines);
    free(text->indices), free(text->data), free(text->fields);
}

static int same_texts(const fastfm_text *a, const fastfm_text *b)
{
    const int64_t n = a->all.n_rows, nnz = a->all.nnz;
    return CHECK(n == b->all.n_rows && nnz == b->all.nnz) && CHECK(same_bytes(a->y, b->y, n * 8)) &&
           CHECK(same_bytes(a->row_ends, b->row_ends, n * 8)) &&
           CHECK(same_bytes(a->indices, b->indices, nnz * type_size(a->index_type))) &&
           CHECK(same_bytes(a->data, b->data, nnz * type_size(a->data_type))) &&
           CHECK(!a->has_fields || same_bytes(a->fields, b->fields, nnz * 4));
}

static void check_rows(const fastfm_text *text)
{
    int64_t begin = text->first_value;
    for (int64_t i = 0; i < text->all.n_rows; i++) {
        CHECK(text->row_ends[i] >= begin && isfinite(text->y[i]));
        begin = text->row_ends[i];
    }
    CHECK(begin == text->first_value + text->all.nnz);
    for (int64_t p = 0; p < text->all.nnz; p++) {
        const int64_t j = get_index(text->indices, text->index_type, p);
        CHECK(j >= 0 && j < text->n_features && isfinite(get_real(text->data, text->data_type, p)));
        CHECK(!text->has_fields || text->fields[p] >= 0);
    }
}

/* Whether each feature has one field; then they are in field_of. */
static int has_one_field_each(const fastfm_text *text, int32_t *field_of)
{
    int64_t *line_of = (int64_t *)exactly(text->all.largest + 1, 8), p;
    for (int64_t j = 0; j <= text->all.largest; j++)
        field_of[j] = -1;
    p = fastfm_text_conflict(text, 1, field_of, line_of);
    CHECK(p >= -1 && p < text->all.nnz);
    free(line_of);
    return p == -1;
}

static void check_written(const fastfm_text *text, const fastfm_text *options, int num_threads)
{
    const int64_t n = text->all.n_rows, room = 32 * n + 64 * text->all.nnz;
    void *indptr = exactly(n + 1, type_size(text->index_type));
    int32_t *field_of = text->has_fields ? (int32_t *)exactly(text->all.largest + 1, 4) : NULL;
    char *bytes = (char *)exactly(room, 1);
    const fastfm_csr X = {n,          text->all.nnz,    indptr,         text->indices,
                          text->data, text->index_type, text->data_type};
    set_index(indptr, text->index_type, 0, 0);
    for (int64_t i = 0; i < n; i++)
        set_index(indptr, text->index_type, i + 1, text->row_ends[i] - text->first_value);
    if (!field_of || has_one_field_each(text, field_of)) {
        const int64_t n_bytes =
            fastfm_text_write(&X, 0, n, text->y, field_of, text->first_index, bytes);
        fastfm_status status;
        fastfm_text again = parsed(bytes, n_bytes, options, num_threads, &status);
        CHECK(status == FASTFM_OK && same_texts(text, &again));
        text_free(&again);
    }
    free(indptr), free(field_of), free(bytes);
}

void fuzz_text(input *in)
{
    const int num_threads = input_threads(in);
    fastfm_text options = {.has_fields = (int)input_below(in, 2),
                           .first_index = input_below(in, 2)};
    fastfm_status status, other_status;
    options.n_features = input_below(in, 2) ? input_below(in, 256) : INT64_MAX;
    options.first_value = input_below(in, 2);
    options.index_type = input_type(in, FASTFM_I32, FASTFM_I64);
    options.data_type = input_type(in, FASTFM_F32, FASTFM_F64);
    const char *bytes = (const char *)in->at;
    fastfm_text text = parsed(bytes, in->end - in->at, &options, num_threads, &status);
    fastfm_text other = parsed(bytes, in->end - in->at, &options, 1, &other_status);
    CHECK(status == other_status && text.all.fault_at == other.all.fault_at);
    if (status == FASTFM_OK) {
        same_texts(&text, &other);
        check_rows(&text);
        if (!text.has_fields || text.all.largest < 100000)
            check_written(&text, &options, num_threads);
    } else {
        CHECK(status == FASTFM_WIDE_INDEX ? options.index_type == FASTFM_I32
                                          : status == FASTFM_BAD_TEXT);
        CHECK(text.all.fault_at >= 0 && text.all.fault_at <= text.n_bytes);
    }
    text_free(&text);
    text_free(&other);
}
