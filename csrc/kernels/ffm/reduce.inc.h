/* The accumulators of a partition: which features get them, and how they come together.
 *
 * Partition q owns the accumulators [accumulator_begin[q], accumulator_end[q]), in block order. A
 * feature that only one row of the batch has gets none: that row updates it directly, unless the
 * row has more than max_update values. Any other feature gets one accumulator for each row block
 * that has it. The first of them, merge_target, takes the sums of the others, in block order; so
 * the bits depend on the batch alone.
 *
 * An example: row blocks 0 and 1; feature 7 is in both, 8 in two rows of block 0, 9 in one row.
 *
 *     entries of the partition   block 0: 7 8 9      block 1: 7
 *     accumulators               block 0: 7 -> 0, 8 -> 1, 9 -> -1      block 1: 7 -> 2
 *     merge_target               0 -> 0, 1 -> 1, 2 -> 0
 *     to_update, after reducing  0 1
 *
 * Template parameters: REAL, NAME, VEC (instantiate.inc.h). Contracts: update/batch.h. */

/* ffm_assign_accumulators: sets batch->features[e].accumulator for the entries of a partition, and
 * merge_target, features and n_partial of each accumulator. Reads what ffm_partition_features has
 * written for all blocks. The driver has set accumulator_begin, with room for all entries. */
static void NAME(ffm_assign_accumulators)(const batch_view *batch, int64_t partition,
                                          thread_local_data *local)
{
    feature_table *table = &local->table;
    int32_t *local_id = local->map.local_id_of_feature;
    int64_t accumulator = batch->accumulator_begin[partition];
    feature_table_clear(table, partition_size(batch, partition));
    /* First, over all blocks: in how many rows is each feature? */
    for (int64_t b = 0; b < batch->n_blocks; b++) {
        const int64_t *begin = batch->partition_begin + b * (batch->n_partitions + 1) + partition;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const feature_entry *in_block = &batch->features[e];
            feature_entry *entry =
                feature_table_add(table, in_block->feature, in_block->largest, in_block->n_rows);
            entry->needs_accumulator |= in_block->needs_accumulator || entry->n_rows > 1;
            entry->accumulator = -1; /* none yet */
            *local_id++ = entry->local_id;
        }
    }
    /* Then, over all blocks again: an accumulator for each entry that needs one. */
    local_id = local->map.local_id_of_feature;
    for (int64_t b = 0; b < batch->n_blocks; b++) {
        const int64_t *begin = batch->partition_begin + b * (batch->n_partitions + 1) + partition;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            feature_entry *entry = &table->entries[*local_id++];
            batch->features[e].accumulator = -1;
            if (!entry->needs_accumulator)
                continue;
            if (entry->accumulator < 0)
                entry->accumulator = (int32_t)accumulator;
            batch->merge_target[accumulator] = entry->accumulator;
            batch->accumulators.features[accumulator] = *entry;
            batch->accumulators.n_partial[accumulator] = -1;
            batch->features[e].accumulator = (int32_t)accumulator++;
        }
    }
    batch->accumulator_end[partition] = accumulator;
}

/* Adds accumulator `source` to accumulator `target` of the same feature, and its counts of rows.
 * Both are in use: each block adds at least one row to each of its accumulators, or the batch is at
 * fault and not reduced. The counts of a target that has no partial row yet are not valid, and are
 * replaced. */
static void NAME(ffm_reduce_accumulators)(const batch_view *batch, int64_t target, int64_t source)
{
    const gradient_accumulators *accumulators = &batch->accumulators;
    const int64_t C = batch->model->n_outputs, F = batch->model->n_fields;
    const int64_t stride = feature_stride(batch->model);
    int32_t *n_partial = accumulators->n_partial;
    REAL *w = (REAL *)accumulators->grad_w;
    REAL *V = (REAL *)accumulators->grad_V + target * accumulators->grad_stride;
    const REAL *source_V = (const REAL *)accumulators->grad_V + source * accumulators->grad_stride;
    int64_t f = 0;
    for (int64_t c = 0; c < C; c++)
        w[target * C + c] += w[source * C + c];
#define ADD_BLOCK(width, vectors) \
    VEC(width, _store)(           \
        V + f, VEC(width, _add)(VEC(width, _load)(V + f), VEC(width, _load)(source_V + f)))
    FOR_FACTOR_BLOCKS(stride, f, ADD_BLOCK)
#undef ADD_BLOCK
    if (n_partial[source] > 0) {
        int32_t *counts = accumulators->field_counts + target * F;
        const int32_t *source_counts = accumulators->field_counts + source * F;
        for (int64_t b = 0; b < F; b++)
            counts[b] = (n_partial[target] > 0 ? counts[b] : 0) + source_counts[b];
        n_partial[target] += n_partial[source];
    }
}

/* ffm_reduce_partition: the first accumulator of each feature takes the sums of the others. */
static int64_t NAME(ffm_reduce_partition)(const batch_view *batch, int64_t partition,
                                          thread_local_data *local)
{
    int64_t n = 0;
    for (int64_t a = batch->accumulator_begin[partition]; a < batch->accumulator_end[partition];
         a++) {
        if (batch->merge_target[a] == a)
            local->to_update[n++] = (int32_t)a;
        else
            NAME(ffm_reduce_accumulators)(batch, batch->merge_target[a], a);
    }
    NAME(prefetch_states)(batch, &batch->accumulators, local->to_update, n);
    return n;
}
