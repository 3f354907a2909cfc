/* ffm_load: row i of X, grouped by field. */
static void NAME(ffm_load)(OF_REAL(ffm_row) * row, const fastfm_csr *X, const fastfm_model *ffm,
                           int64_t i)
{
    const int64_t first = ((const INDEX *)X->indptr)[i], last = ((const INDEX *)X->indptr)[i + 1];
    const INDEX *indices = (const INDEX *)X->indices;
    const DATA *data = (const DATA *)X->data;
    const int64_t k = ffm->n_factors, stride = ffm->n_outputs * ffm->n_fields * k;
    int64_t n_values = 0, n_groups = 0, *count = row->group_begin + 1;
    for (int64_t p = first; p < last; p++) {
        const int32_t field = ffm->fields[indices[p]];
        row->field_at[p - first] = field;
        if ((REAL)data[p] == 0)
            continue;
        int32_t group = row->group_of[field];
        if (group < 0) {
            row->group_of[field] = group = (int32_t)n_groups++;
            row->field[group] = field * k;
            count[group] = 0;
        }
        count[group]++;
        n_values++;
    }
    row->n_values = row->size[0] = n_values;
    row->n_groups = row->size[1] = n_groups;
    row->group_begin[0] = 0;
    for (int64_t g = n_groups - 1, end = n_values; g >= 0; g--) {
        end -= count[g];
        count[g] =
            end; /* where the next value of the group goes; at last, where the next group begins */
    }
    for (int64_t p = first; p < last; p++) {
        const REAL x = (REAL)data[p];
        if (x == 0)
            continue;
        const int32_t group = row->group_of[row->field_at[p - first]];
        const int64_t a = count[group]++;
        row->column[a] = indices[p];
        row->block[a] = row->column[a] * stride;
        row->field_offset[a] = row->field[group];
        row->position[a] = p;
        row->x[a] = x;
    }
    for (int64_t g = 0; g < n_groups; g++)
        row->group_of[row->field_at[row->position[row->group_begin[g]] - first]] = -1;
}
