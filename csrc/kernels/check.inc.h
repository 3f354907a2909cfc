/* check: all indices in [0, n_features) and no column twice in a row. */

/* Whether a row has a repeated column. In all but short rows ascending order says no at once. */
static int NAME(check_repeats)(const INDEX *row, int64_t z, int64_t *table)
{
    int64_t p = 1;
    int repeats = 0;
    if (z <= 1)
        return 0;
    if (z <= CHECK_SHORT) { /* without a branch on their lengths, which are hard to foretell */
        INDEX column[CHECK_SHORT]; /* -1, -2, ... where the row has none */
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
    const int64_t size = check_table_size(z);
    for (int64_t slot = 0; slot < size; slot++)
        table[slot] = -1;
    for (int64_t a = 0; a < z; a++) {
        /* Fibonacci hashing; half of the slots stay empty. */
        uint64_t slot =
            ((uint64_t)row[a] * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (uint64_t)(size - 1);
        while (table[slot] >= 0) {
            if (table[slot] == row[a])
                return 1;
            slot = (slot + 1) & (uint64_t)(size - 1);
        }
        table[slot] = row[a];
    }
    return 0;
}

/* Whether all indices lie in [0, n_features): one plain loop, which compilers vectorise. */
static int NAME(check_bounds)(const INDEX *indices, int64_t n_features, int64_t first, int64_t last)
{
    const INDEX limit =
        (INDEX)(sizeof(INDEX) == 4 ? min_i64(n_features - 1, INT32_MAX) : n_features - 1);
    INDEX outside = 0;
    if (n_features == 0)
        return first == last;
    for (int64_t p = first; p < last; p++)
        outside |= (INDEX)(indices[p] < 0) | (INDEX)(indices[p] > limit);
    return !outside;
}

/* Whether columns ascend in every row, the common case, by two plain loops: over the block's
 * indices as one array, and over the borders of rows, where a descent is allowed. */
static int NAME(check_ascending)(const INDEX *indptr, const INDEX *indices, int64_t begin,
                                 int64_t end)
{
    const int64_t first = indptr[begin], last = indptr[end];
    INDEX descents = 0;
    for (int64_t p = first + 1; p < last; p++)
        descents += (INDEX)(indices[p] <= indices[p - 1]);
    for (int64_t i = begin + 1; i < end; i++) {
        const int64_t p = indptr[i];
        /* A border counts once, however many empty rows meet at it. */
        if (p > first && p < last && p != indptr[i - 1])
            descents -= (INDEX)(indices[p] <= indices[p - 1]);
    }
    return descents == 0;
}

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
