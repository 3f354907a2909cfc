/* ffm_score_small: ffm_score of a model with small parameters. Those of a row become float32 in scratch,
 * as a model of z features, which ffm_score then scores: so the bits are its bits. Only the numbers are
 * made that the row's pairs read, unless it has many of the fields.
 * Parameters and contract: score_kernel in table.h.
 * Template parameters: DATA, INDEX, NAME, OF_REAL (instantiate.inc.h). */

/* What follows ffm_scratch_bytes in scratch (score_scratch_bytes). */
typedef struct {
    float *V, *w;     /* (max_row, C, F, k) and (max_row, C) */
    INDEX *columns;   /* (max_row,) 0, 1, 2, ... */
    int32_t *fields;  /* (max_row,) of the row's values */
    int32_t *present; /* (F,) the fields that the row has */
} NAME(ffm_widened);

static void NAME(ffm_widened_place)(NAME(ffm_widened) * row, const fastfm_model *ffm,
                                    int64_t max_row, void *scratch)
{
    const int64_t stride = feature_stride(ffm), C = ffm->n_outputs;
    char *at = (char *)scratch + ffm_scratch_bytes(max_row, ffm->n_fields, ffm->n_factors);
    row->columns = (INDEX *)at; /* 8 bytes each, at most */
    row->V = (float *)(at + 8 * max_row);
    row->w = row->V + max_row * stride;
    row->fields = (int32_t *)(row->w + max_row * C);
    row->present = row->fields + max_row;
    for (int64_t p = 0; p < max_row; p++)
        row->columns[p] = (INDEX)p;
}

/* The parameters of feature j as those of feature p of the row; n_present: 0 for all fields. */
static void NAME(ffm_widen_value)(const NAME(ffm_widened) * row, const fastfm_model *ffm, int64_t j,
                                  int64_t p, int64_t n_present)
{
    const int64_t C = ffm->n_outputs, F = ffm->n_fields, k = ffm->n_factors, stride = C * F * k;
    const int64_t size = stored_size(ffm);
    const char *stored = (const char *)ffm->V + j * stride * size;
    float scale = 1, *out = row->V + p * stride;
    if (ffm->small.storage == FASTFM_HALF) {
        OF_REAL(widen)
        (FASTFM_HALF, (const uint16_t *)ffm->w + j * C, C, 1, row->w + p * C);
    } else {
        scale = scale_of_feature(ffm, j);
        memcpy(row->w + p * C, (const float *)ffm->w + j * C, sizeof(float) * (size_t)C);
    }
    if (n_present == 0)
        OF_REAL(widen)(ffm->small.storage, stored, stride, scale, out);
    for (int64_t c = 0; c < C; c++)
        for (int64_t a = 0; a < n_present; a++) {
            const int64_t at = (c * F + row->present[a]) * k;
            OF_REAL(widen)(ffm->small.storage, stored + at * size, k, scale, out + at);
        }
}

/* The fields of values [first, last), and the list of those that are present: how many it has, or 0 if
 * all fields are to be widened. The list may name a field twice. */
static int64_t NAME(ffm_present_fields)(NAME(ffm_widened) * row, const fastfm_model *ffm,
                                        const INDEX *indices, int64_t first, int64_t last)
{
    int64_t n = 0;
    for (int64_t p = first; p < last; p++) {
        const int32_t field = ffm->fields[indices[p]];
        row->fields[p - first] = field;
        if (n > 0 && n <= ffm->n_fields && row->present[n - 1] == field)
            continue;
        if (n < ffm->n_fields)
            row->present[n] = field;
        n++;
    }
    return 4 * n >= ffm->n_fields ? 0 : n;
}

static void NAME(ffm_score_small)(const fastfm_csr *X, const double *linear_scale,
                                  const fastfm_model *ffm, int64_t begin, int64_t end, void *scores,
                                  void *s, int64_t max_row, void *scratch)
{
    const INDEX *indptr = (const INDEX *)X->indptr, *indices = (const INDEX *)X->indices;
    const int64_t C = ffm->n_outputs, stride = feature_stride(ffm);
    const int64_t row_bytes = stride * stored_size(ffm);
    NAME(ffm_widened) row;
    fastfm_model widened = *ffm;
    NAME(ffm_widened_place)(&row, ffm, max_row, scratch);
    widened.small.storage = FASTFM_AS_REAL;
    widened.V = row.V, widened.w = row.w, widened.fields = row.fields;
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = indptr[i], last = indptr[i + 1], z = last - first;
        const INDEX one_row[2] = {0, (INDEX)z};
        const fastfm_csr values = {.n_rows = 1,
                                   .nnz = z,
                                   .indptr = one_row,
                                   .indices = row.columns,
                                   .data = (const DATA *)X->data + first,
                                   .index_type = X->index_type,
                                   .data_type = X->data_type};
        const int64_t n_present = NAME(ffm_present_fields)(&row, ffm, indices, first, last);
        for (int64_t p = first; p < last; p++) {
            prefetch_row(ffm->V, indices[min_i64(p + z, X->nnz - 1)], row_bytes, row_bytes, 1, 0);
            NAME(ffm_widen_value)(&row, ffm, indices[p], p - first, n_present);
        }
        widened.n_features = z;
        NAME(ffm_score)(&values, linear_scale, &widened, 0, 1, (REAL *)scores + (i - begin) * C, s,
                        max_row, scratch);
    }
}
