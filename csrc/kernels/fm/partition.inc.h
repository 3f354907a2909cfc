/* fm_partition_values: sorts the values of rows [begin, end), which are row block `block` of a
 * batch, by the partition of their features. Explicit zeros are left out. A counting sort: inside a
 * partition values stay in row order, so that gradients are summed in row order.
 *
 * Writes batch->values[indptr[begin] ... indptr[end]) and the block's row of partition_begin, which
 * no other block touches. Contract: fm_partition_kernel in update/batch.h.
 * Template parameters: REAL, DATA, INDEX, NAME (instantiate.inc.h). */

/* What a sum of gradients needs of a value, side by side. */
typedef struct {
    INDEX feature;
    uint32_t row; /* its place in the batch */
    REAL x;
} NAME(fm_value);

static void NAME(fm_partition_values)(const batch_view *batch, int64_t block, int64_t begin,
                                      int64_t end)
{
    const INDEX *indptr = (const INDEX *)batch->rows.indptr;
    const INDEX *indices = (const INDEX *)batch->rows.indices;
    const DATA *data = (const DATA *)batch->rows.data;
    const int bits = batch->partition_bits;
    const int64_t n_partitions = batch->n_partitions, first = indptr[begin];
    NAME(fm_value) *values = (NAME(fm_value) *)batch->values;
    int64_t *at = batch->partition_begin + block * (n_partitions + 1);
    for (int64_t q = 0; q <= n_partitions; q++)
        at[q] = 0;
    for (int64_t p = first; p < indptr[end]; p++)
        at[feature_partition(indices[p], bits)] += (REAL)data[p] != 0;
    exclusive_prefix_sum(at, n_partitions, first);
    for (int64_t i = begin; i < end; i++)
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
            const REAL x = (REAL)data[p];
            if (x != 0)
                values[at[feature_partition(indices[p], bits)]++] =
                    (NAME(fm_value)){indices[p], (uint32_t)i, x};
        }
    restore_offsets(at, n_partitions, first);
}
