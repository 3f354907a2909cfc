/* fm_reduce_partition: sums the gradients of one partition's features over a batch, in row order,
 *
 *     dw_j = sum g x_j,     dv_jf = sum g x_j (s_f - v_jf x_j)
 *
 * into local->accumulators, one for each feature. Parameters and contract: reduce_kernel in
 * update/batch.h. The phase before has written s, dscores and the partition's values.
 * Accumulator a belongs to the feature with local id a, so to_update is 0, 1, 2, ...
 * Template parameters: REAL, NAME, OF_REAL, and DATA and INDEX for fm_value (instantiate.inc.h). */

/* Gives an accumulator to each feature of the partition, and notes that of each value. Prefetches
 * w and V, which the sums and the updates need. */
static void NAME(fm_assign_accumulators)(const batch_view *batch, int64_t partition,
                                         thread_local_data *local)
{
    const NAME(fm_value) *values = (const NAME(fm_value) *)batch->values;
    const fastfm_model *fm = batch->model;
    const int64_t C = fm->n_outputs;
    const int64_t row_bytes = feature_stride(fm) * (int64_t)sizeof(REAL);
    const int64_t w_bytes = C * (int64_t)sizeof(REAL);
    int32_t *accumulator = local->map.accumulator_of_value;
    feature_table_clear(&local->table, partition_size(batch, partition));
    for (int64_t b = 0; b < batch->n_blocks; b++) {
        const int64_t *begin = batch->partition_begin + b * (batch->n_partitions + 1) + partition;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = values[e].feature;
            const REAL x = values[e].x;
            const feature_entry *entry =
                feature_table_add(&local->table, feature, x < 0 ? -x : x, 1);
            *accumulator++ = entry->local_id;
            if (entry->n_rows == 1) {
                local->to_update[entry->local_id] = entry->local_id;
                prefetch_row(fm->V, feature, row_bytes, row_bytes, 1, 0);
                prefetch_row(fm->w, feature, w_bytes, w_bytes, C > 1, 0);
            }
        }
    }
}

/* Sets all accumulators of the partition to zero and adds the gradient of each of its values, row
 * block by row block and in row order inside each: so in row order over the batch. For one value:
 * s and g of its row and output are read from the batch, v from the model, which nobody updates
 * before the partition's sums are complete. */
static void NAME(fm_sum_gradients)(const batch_view *batch, int64_t partition,
                                   const thread_local_data *local)
{
    const NAME(fm_value) *values = (const NAME(fm_value) *)batch->values;
    const fastfm_model *fm = batch->model;
    const int64_t k = fm->n_factors, C = fm->n_outputs;
    const int32_t *accumulator = local->map.accumulator_of_value;
    const double *scale = batch->linear_scale;
    REAL *grad_w = (REAL *)local->accumulators.grad_w;
    REAL *grad_V = (REAL *)local->accumulators.grad_V;
    for (int64_t i = 0; i < local->table.n * C; i++)
        grad_w[i] = 0;
    for (int64_t i = 0; i < local->table.n * C * k; i++)
        grad_V[i] = 0;
    for (int64_t b = 0; b < batch->n_blocks; b++) {
        const int64_t *begin = batch->partition_begin + b * (batch->n_partitions + 1) + partition;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = values[e].feature, row = values[e].row;
            const REAL x = values[e].x;
            const REAL linear_scale = scale ? (REAL)scale[row] : 1;
            const int64_t a = *accumulator++;
            for (int64_t c = 0; c < C; c++) {
                const REAL g = ((const REAL *)batch->dscores)[row * C + c];
                const REAL *s = (const REAL *)batch->s + (row * C + c) * k;
                const REAL *v = (const REAL *)fm->V + (feature * C + c) * k;
                REAL *grad_v = grad_V + (a * C + c) * k;
                int64_t f = 0;
                grad_w[a * C + c] += g * linear_scale * x;
#define ADD_BLOCK(width, vectors) \
    OF_REAL(FACTOR_BLOCK(fm_add_gradient, width, vectors))(x, g * x, s + f, v + f, grad_v + f)
                FOR_WIDE_FACTOR_BLOCKS(k, f, ADD_BLOCK)
#undef ADD_BLOCK
            }
        }
    }
}

/* The kernel. The states are prefetched between the two steps, to arrive during the sums. */
static int64_t NAME(fm_reduce_partition)(const batch_view *batch, int64_t partition,
                                         thread_local_data *local)
{
    NAME(fm_assign_accumulators)(batch, partition, local);
    OF_REAL(prefetch_states)(batch, &local->accumulators, local->to_update, local->table.n);
    NAME(fm_sum_gradients)(batch, partition, local);
    return local->table.n;
}
