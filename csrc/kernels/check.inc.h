/* check: whether all indices of some rows lie in [0, n_features), and no column is twice in a row.
 *
 * Parameters and contract: check_kernel in table.h. Only indptr has been checked. Three passes,
 * each cheaper than what it saves: bounds of the whole block; ascending columns, which most data
 * have and which exclude repeats; then, if some row does not ascend, repeats row by row.
 * Template parameters: INDEX, NAME (instantiate.inc.h). */

/* Whether a row of z columns has one twice. A short row is compared without a branch on its length,
 * because lengths are hard to predict; a longer one is first looked at for ascending order. */
static int NAME(check_repeats)(const INDEX *row, int64_t z, int64_t *table)
{
    int64_t p = 1;
    int repeats = 0;
    if (z <= 1)
        return 0;
    if (z <= CHECK_SHORT) {
        INDEX column[CHECK_SHORT]; /* -1, -2, ... where the row has ended */
        for (int a = 0; a < CHECK_SHORT; a++) {
            const INDEX is_none = -(INDEX)(a >= z);
            column[a] = (row[min_i64(a, z - 1)] & ~is_none) | (is_none & (INDEX)(-1 - a));
        }
        for (int b = 1; b < CHECK_SHORT; b++)
            for (int a = 0; a < b; a++)
                repeats |= column[a] == column[b];
        return repeats;
    }
    while (p < z && row[p] > row[p - 1])
        p++;
    if (p >= z)
        return 0;
    if (z <= CHECK_BY_PAIRS) {
        for (int64_t a = 1; a < z; a++)
            for (int64_t b = 0; b < a; b++)
                repeats |= row[a] == row[b];
        return repeats;
    }
    /* Open addressing; at least half of the cells stay empty. */
    const int64_t size = check_table_size(z);
    for (int64_t cell = 0; cell < size; cell++)
        table[cell] = -1;
    for (int64_t a = 0; a < z; a++) {
        uint64_t cell = (hash_i64(row[a]) >> 20) & (uint64_t)(size - 1);
        while (table[cell] >= 0) {
            if (table[cell] == row[a])
                return 1;
            cell = (cell + 1) & (uint64_t)(size - 1);
        }
        table[cell] = row[a];
    }
    return 0;
}

/* Whether the indices [first, last) all lie in [0, n_features): a plain loop, which compilers
 * vectorise. */
static int NAME(check_bounds)(const INDEX *indices, int64_t n_features, int64_t first, int64_t last)
{
    /* n_features may be more than INDEX can hold: then every index is below it. */
    const INDEX limit =
        (INDEX)(sizeof(INDEX) == 4 ? min_i64(n_features - 1, INT32_MAX) : n_features - 1);
    INDEX outside = 0;
    if (n_features == 0)
        return first == last;
    for (int64_t p = first; p < last; p++)
        outside |= (INDEX)(indices[p] < 0) | (INDEX)(indices[p] > limit);
    return !outside;
}

/* Whether columns ascend in every row. Two plain loops: the first counts the descents of all
 * indices as one array, the second takes off those between one row and the next, which are allowed. */
static int NAME(check_ascending)(const INDEX *indptr, const INDEX *indices, int64_t begin,
                                 int64_t end)
{
    const int64_t first = indptr[begin], last = indptr[end];
    INDEX descents = 0;
    for (int64_t p = first + 1; p < last; p++)
        descents += (INDEX)(indices[p] <= indices[p - 1]);
    for (int64_t i = begin + 1; i < end; i++) {
        const int64_t p = indptr[i];
        /* A border is taken off once, however many empty rows meet at it. */
        if (p > first && p < last && p != indptr[i - 1])
            descents -= (INDEX)(indices[p] <= indices[p - 1]);
    }
    return descents == 0;
}

/* The first row that is at fault is looked for only when there is one. */
static fastfm_status NAME(check)(const fastfm_csr *X, int64_t n_features, int64_t begin,
                                 int64_t end, int64_t *table, int64_t *bad_row)
{
    const INDEX *indptr = (const INDEX *)X->indptr;
    const INDEX *indices = (const INDEX *)X->indices;
    if (!NAME(check_bounds)(indices, n_features, indptr[begin], indptr[end])) {
        for (*bad_row = begin;
             NAME(check_bounds)(indices, n_features, indptr[*bad_row], indptr[*bad_row + 1]);)
            ++*bad_row;
        return FASTFM_BAD_INDEX;
    }
    if (NAME(check_ascending)(indptr, indices, begin, end))
        return FASTFM_OK;
    for (int64_t i = begin; i < end; i++) {
        if (NAME(check_repeats)(indices + indptr[i], indptr[i + 1] - indptr[i], table)) {
            *bad_row = i;
            return FASTFM_REPEATED_COLUMN;
        }
    }
    return FASTFM_OK;
}
