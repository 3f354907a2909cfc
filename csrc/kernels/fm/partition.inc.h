/* fm_partition_values and fm_share_values: sort the values of a row block by the partition, or the share, of
 * their features. Explicit zeros are left out. A counting sort: inside a partition values stay in
 * row order, so that gradients are summed in row order.
 *
 * Write batch->values[first ... first + values of the rows) and the block's row of partition_begin,
 * which no other block touches. Contract: fm_partition_kernel in update/batch.h.
 * Template parameters: REAL, DATA, INDEX, NAME (instantiate.inc.h). */

/* What a sum of gradients needs of a value, side by side. */
typedef struct {
    INDEX feature;
    uint32_t row; /* its place in the batch */
    REAL x;
} NAME(fm_value);

/* by_share is a constant. */
FORCE_INLINE void NAME(fm_sort_values)(const batch_view *batch, int64_t block,
                                       const fastfm_csr *rows, int64_t begin, int64_t first,
                                       int by_share)
{
    const INDEX *indptr = (const INDEX *)rows->indptr, *indices = (const INDEX *)rows->indices;
    const DATA *data = (const DATA *)rows->data;
    const int bits = batch->partition_bits;
    const int64_t n_partitions = batch->n_partitions;
    NAME(fm_value) *values = (NAME(fm_value) *)batch->values;
    int64_t *at = batch->partition_begin + block * (n_partitions + 1);
#define PARTITION(feature) \
    (by_share ? share_of(batch->shares, feature) : feature_partition(feature, bits))
    for (int64_t q = 0; q <= n_partitions; q++)
        at[q] = 0;
    for (int64_t p = indptr[0]; p < indptr[rows->n_rows]; p++)
        at[PARTITION(indices[p])] += (REAL)data[p] != 0;
    exclusive_prefix_sum(at, n_partitions, first);
    for (int64_t i = 0; i < rows->n_rows; i++)
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
            const REAL x = (REAL)data[p];
            if (x != 0)
                values[at[PARTITION(indices[p])]++] =
                    (NAME(fm_value)){indices[p], (uint32_t)(begin + i), x};
        }
#undef PARTITION
    restore_offsets(at, n_partitions, first);
}

static void NAME(fm_partition_values)(const batch_view *batch, int64_t block,
                                      const fastfm_csr *rows, int64_t begin, int64_t first)
{
    NAME(fm_sort_values)(batch, block, rows, begin, first, 0);
}

static void NAME(fm_share_values)(const batch_view *batch, int64_t block, const fastfm_csr *rows,
                                  int64_t begin, int64_t first)
{
    NAME(fm_sort_values)(batch, block, rows, begin, first, 1);
}
