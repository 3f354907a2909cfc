/* Numbers a feature: counts n more rows of it, with at most |x| = size. */
FORCE_INLINE int32_t NAME(number_feature)(feature_table *table, int64_t feature, int64_t n,
                                          REAL size, int *is_new)
{
    int32_t *place = place_in_table(table, feature);
    REAL *largest = (REAL *)table->largest;
    const int32_t number = *place < 0 ? (int32_t)table->n : *place;
    *is_new = *place < 0;
    if (*is_new) {
        *place = number;
        table->n++;
        table->features[number] = feature;
        table->counts[number] = 0;
        largest[number] = 0;
    }
    table->counts[number] += (int32_t)n;
    largest[number] = size > largest[number] ? size : largest[number];
    return number;
}
