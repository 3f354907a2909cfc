/* ffm_load: fills *row with row i of X, grouped by field. A counting sort by group, O(values).
 *
 * row has been placed in scratch (ffm_row_place) that has room for the row; row->group_of holds -1
 * for every field, and does so again afterwards.
 * Template parameters: DATA, INDEX, NAME, OF_REAL (instantiate.inc.h). */

/* First pass, over the stored values [first, last): finds the groups and counts their values. Notes
 * the field of each value, so that the second pass does not read `fields` again, whose entries lie
 * anywhere. Sets group_begin. */
FORCE_INLINE void NAME(ffm_count_groups)(OF_REAL(ffm_row) * row, const INDEX *indices,
                                         const DATA *data, const fastfm_model *ffm, int64_t first,
                                         int64_t last)
{
    int64_t n_values = 0, n_groups = 0, *count = row->group_begin + 1;
    for (int64_t p = first; p < last; p++) {
        const int32_t field = ffm->fields[indices[p]];
        row->field_at[p - first] = field;
        if ((REAL)data[p] == 0)
            continue;
        int32_t group = row->group_of[field];
        if (group < 0) {
            row->group_of[field] = group = (int32_t)n_groups++;
            row->field[group] = field * ffm->n_factors;
            count[group] = 0;
        }
        count[group]++;
        n_values++;
    }
    row->n_values = row->size[0] = n_values;
    row->n_groups = row->size[1] = n_groups;
    row->group_begin[0] = 0;
    /* From counts to places, from the last group to the first. count[g] becomes the place of the
     * group's next value, and ends as group_begin[g + 1]. */
    for (int64_t g = n_groups - 1, end = n_values; g >= 0; g--) {
        end -= count[g];
        count[g] = end;
    }
}

/* Second pass: puts each value behind the others of its group. Clears group_of at the end. */
static void NAME(ffm_load)(OF_REAL(ffm_row) * row, const fastfm_csr *X, const fastfm_model *ffm,
                           int64_t i)
{
    const int64_t first = ((const INDEX *)X->indptr)[i], last = ((const INDEX *)X->indptr)[i + 1];
    const INDEX *indices = (const INDEX *)X->indices;
    const DATA *data = (const DATA *)X->data;
    const int64_t stride = feature_stride(ffm);
    int64_t *next = row->group_begin + 1;
    NAME(ffm_count_groups)(row, indices, data, ffm, first, last);
    for (int64_t p = first; p < last; p++) {
        const REAL x = (REAL)data[p];
        if (x == 0)
            continue;
        const int32_t group = row->group_of[row->field_at[p - first]];
        const int64_t a = next[group]++;
        row->column[a] = indices[p];
        row->V_offset[a] = row->column[a] * stride;
        row->field_offset[a] = row->field[group];
        row->position[a] = p;
        row->x[a] = x;
    }
    for (int64_t g = 0; g < row->n_groups; g++)
        row->group_of[row->field_at[row->position[row->group_begin[g]] - first]] = -1;
}
