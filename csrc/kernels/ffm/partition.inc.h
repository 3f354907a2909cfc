/* ffm_partition_features: finds the distinct features of rows [begin, end), which are row block
 * `block` of a batch, and sorts them by partition. Explicit zeros do not count.
 *
 * Writes for the block: batch->local_id_of of each value; batch->features, sorted, from
 * indptr[begin] on; its row of partition_begin. Features get local ids in order of appearance, and
 * stay in that order inside a partition. A feature of a row with more than max_update values needs
 * an accumulator, because such a row updates nothing by itself.
 * Contract: ffm_partition_kernel in update/batch.h. local->table holds the block's features
 * afterwards. Template parameters: REAL, DATA, INDEX, NAME (instantiate.inc.h). */
static void NAME(ffm_partition_features)(const batch_view *batch, int64_t block, int64_t begin,
                                         int64_t end, thread_local_data *local)
{
    const INDEX *indptr = (const INDEX *)batch->rows.indptr;
    const INDEX *indices = (const INDEX *)batch->rows.indices;
    const DATA *data = (const DATA *)batch->rows.data;
    const int bits = batch->partition_bits;
    const int64_t n_partitions = batch->n_partitions, first = indptr[begin];
    feature_table *table = &local->table;
    int64_t *at = batch->partition_begin + block * (n_partitions + 1);
    for (int64_t q = 0; q <= n_partitions; q++)
        at[q] = 0;
    feature_table_clear(table, indptr[end] - first);
    for (int64_t i = begin; i < end; i++) {
        const int is_long = indptr[i + 1] - indptr[i] > batch->max_update;
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
            const REAL x = (REAL)data[p];
            feature_entry *entry;
            batch->local_id_of[p] = -1;
            if (x == 0)
                continue;
            entry = feature_table_add(table, indices[p], x < 0 ? -x : x, 1);
            entry->needs_accumulator |= is_long;
            batch->local_id_of[p] = entry->local_id;
            at[feature_partition(indices[p], bits)] += entry->n_rows == 1;
        }
    }
    exclusive_prefix_sum(at, n_partitions, first);
    for (int64_t id = 0; id < table->n; id++)
        batch->features[at[feature_partition(table->entries[id].feature, bits)]++] =
            table->entries[id];
    restore_offsets(at, n_partitions, first);
}
