/* ffm_accumulate_row: adds the gradients of row i of a batch to accumulators,
 *
 *     dw_i = g x_i,     dV[i, b] = g x_i ( S[b, a] - [a = b] V[i, a] x_i ),
 *     S[b, a] = sum_{j in b} V[j, a] x_j,     a = fields[i]
 *
 * and does so right after ffm_score, while V of the row's features is in the cache.
 * If no other row of the batch has the feature, this is all of its gradient, and no other row needs
 * its V: so it is updated at once, with an accumulator of the thread. The gradients of a row with
 * more than max_update values fit no cache, so all its features have accumulators of the batch.
 * Contract: ffm_accumulate_kernel in update/batch.h. local->map.accumulator_of_feature holds the
 * accumulator of each local id of the block, or -1.
 * Template parameters: REAL, NAME (instantiate.inc.h). */

/* What is known of the row while its values are gone through. */
typedef struct {
    NAME(ffm_row) row;        /* as ffm_score has left it in scratch */
    int64_t i;                /* its place in the batch */
    int by_pairs;             /* one value in each of its fields */
    int has_all;              /* all fields of the model */
    int64_t n_updates;        /* accumulators of the thread that are in use */
    int64_t ahead, end_ahead; /* values of the next row that are still to be prefetched */
    int prefetches_V;         /* ffm_prefetches_V */
} NAME(ffm_row_update);

/* Prefetches for the next n values of the row to come, all into L2, because a row fills an L1:
 * their parameters, and their state if they are to be updated at once, else their accumulators. */
FORCE_INLINE void NAME(ffm_prefetch_ahead)(const batch_view *batch, NAME(ffm_row_update) * update,
                                           int64_t n, const thread_local_data *local)
{
    const fastfm_csr *X = &batch->rows;
    const fastfm_model *ffm = batch->model;
    const int64_t row_bytes = feature_stride(ffm) * (int64_t)sizeof(REAL);
    const int64_t sum_bytes = batch->accumulators.grad_stride * (int64_t)sizeof(REAL);
    const int64_t end = min_i64(update->ahead + n, update->end_ahead);
    for (; update->ahead < end; update->ahead++) {
        const int64_t j = index_at(X->indices, X->index_type, update->ahead);
        const int32_t id = batch->local_id_of[update->ahead];
        const int32_t accumulator = id < 0 ? 0 : local->map.accumulator_of_feature[id];
        prefetch_row(ffm->fields, j, sizeof(int32_t), sizeof(int32_t), 0, 1);
        if (accumulator < 0) {
            NAME(prefetch_state)(batch, j);
            continue;
        }
        prefetch_row(ffm->w, j, ffm->n_outputs * (int64_t)sizeof(REAL), sizeof(REAL), 0, 1);
        if (id >= 0 && update->prefetches_V) {
            prefetch_row(ffm->V, j, row_bytes, row_bytes, 1, 1);
            prefetch_row(batch->accumulators.grad_V, accumulator, sum_bytes, sum_bytes, 0, 1);
        }
    }
}

/* Counts the row's fields for accumulator a, because it does not have all. L2 applies to V[j, b]
 * once for each row that has field b; rows with all fields need no counting, and are told by n_rows
 * and n_partial. The counts are zeroed when the first such row comes. */
static void NAME(ffm_count_fields)(const gradient_accumulators *accumulators, int64_t a,
                                   const fastfm_model *ffm, const NAME(ffm_row) * row)
{
    int32_t *counts = accumulators->field_counts + a * ffm->n_fields;
    if (accumulators->n_partial[a]++ == 0)
        memset(counts, 0, (size_t)ffm->n_fields * sizeof(int32_t));
    for (int64_t h = 0; h < row->n_groups; h++)
        counts[row->field[h] / ffm->n_factors]++;
}

/* The accumulator of one value. */
typedef struct {
    REAL *grad_w, *grad_V; /* (C,), (C, F, k) */
    int is_first;          /* grad_V is set and not added to */
} NAME(gradient_target);

/* Finds the accumulator of value a, and prepares it if nothing has been added to it yet. Without
 * one, takes the next of the thread's and notes the feature for the update after the row.
 *
 * A row that has all fields, with one value in each, writes every number of grad_V: then an empty
 * accumulator is set by it (is_first) and need not be zeroed. Any other row leaves out the fields
 * that it does not have, so an empty accumulator is zeroed before. */
FORCE_INLINE NAME(gradient_target)
    NAME(ffm_target_of)(const batch_view *batch, NAME(ffm_row_update) * update, int64_t a,
                        thread_local_data *local)
{
    const fastfm_model *ffm = batch->model;
    const NAME(ffm_row) *row = &update->row;
    const int sets_all = update->by_pairs && update->has_all;
    const int64_t C = ffm->n_outputs;
    const gradient_accumulators *accumulators = &batch->accumulators;
    int64_t at = local->map.accumulator_of_feature[batch->local_id_of[row->position[a]]];
    NAME(gradient_target) target;
    int is_first;
    if (at < 0) {
        const REAL x = row->x[a];
        accumulators = &local->accumulators;
        at = update->n_updates++;
        local->to_update[at] = (int32_t)at;
        accumulators->features[at] =
            (feature_entry){.feature = row->column[a], .largest = x < 0 ? -x : x, .n_rows = 1};
        accumulators->n_partial[at] = -1;
    }
    target.grad_w = (REAL *)accumulators->grad_w + at * C;
    target.grad_V = (REAL *)accumulators->grad_V + at * accumulators->grad_stride;
    is_first = accumulators->n_partial[at] < 0;
    target.is_first = is_first && sets_all;
    if (is_first) {
        accumulators->n_partial[at] = 0;
        for (int64_t c = 0; c < C; c++)
            target.grad_w[c] = 0;
        if (!sets_all)
            memset(target.grad_V, 0, (size_t)feature_stride(ffm) * sizeof(REAL));
    }
    if (!update->has_all)
        NAME(ffm_count_fields)(accumulators, at, ffm, row);
    return target;
}

/* The gradients of n <= 4 values from a on, of a row that is one for tiles (tile4x4.inc.h): each
 * value finds its accumulator, then every output is added tile by tile. */
static void NAME(ffm_accumulate_tile4x4)(const batch_view *batch, NAME(ffm_row_update) * update,
                                         int64_t a, int64_t n, thread_local_data *local)
{
    const int64_t C = batch->model->n_outputs, output_stride = batch->model->n_fields * 4;
    const NAME(ffm_row) *row = &update->row;
    NAME(ffm_tile4x4) values = {.field = row->field[a]};
    NAME(gradient_target) target[4];
    for (int64_t i = 0; i < n; i++) {
        target[i] = NAME(ffm_target_of)(batch, update, a + i, local);
        values.is_first[i] = target[i].is_first;
    }
    for (int64_t c = 0; c < C; c++) {
        const REAL g = ((const REAL *)batch->dscores)[update->i * C + c];
        for (int64_t i = 0; i < n; i++) {
            values.gx[i] = g * row->x[a + i];
            values.grad[i] = target[i].grad_V + c * output_stride;
            target[i].grad_w[c] += values.gx[i];
        }
        NAME(ffm_add_tile4x4)(row, &values, n, (const REAL *)batch->model->V + c * output_stride);
    }
}

/* The gradient of value a, which is in group h, of a row that is not one for tiles. By pairs, V of
 * the other values is added as it is. Otherwise S of the value's field is made first, once for all
 * values of the field; with several outputs it is made again for each value, because row->sums
 * holds one output at a time. *summed: h * C + c of the group h and output c
 * whose S[b, h] of all groups b row->sums holds; -1 at first. */
static void NAME(ffm_accumulate_value)(const batch_view *batch, NAME(ffm_row_update) * update,
                                       int64_t h, int64_t a, int64_t *summed,
                                       thread_local_data *local)
{
    const fastfm_model *ffm = batch->model;
    const NAME(ffm_row) *row = &update->row;
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, output_stride = ffm->n_fields * k;
    const int64_t field = row->field[h];
    const REAL x = row->x[a];
    const NAME(gradient_target) target = NAME(ffm_target_of)(batch, update, a, local);
    for (int64_t c = 0; c < C; c++) {
        const REAL gx = ((const REAL *)batch->dscores)[update->i * C + c] * x;
        const REAL *V = (const REAL *)ffm->V + c * output_stride + field;
        REAL *grad = target.grad_V + c * output_stride;
        int64_t f = 0;
        target.grad_w[c] += gx;
        if (update->by_pairs) {
#define ADD_PAIRS(width, vectors)                                                                \
    NAME(FACTOR_BLOCK(ffm_add_pairs, width, vectors))(row, 0, field, V + f, gx, target.is_first, \
                                                      grad + f)
            FOR_FACTOR_BLOCKS(k, f, ADD_PAIRS)
#undef ADD_PAIRS
            continue;
        }
        if (*summed != h * C + c) {
#define MAKE_SUMS(width, vectors) \
    NAME(FACTOR_BLOCK(ffm_sums_for_field, width, vectors))(row, V + f, k, row->sums + f)
            FOR_FACTOR_BLOCKS(k, f, MAKE_SUMS)
#undef MAKE_SUMS
            *summed = h * C + c;
            f = 0;
        }
#define ADD_BLOCK(width, vectors)                                                                 \
    NAME(FACTOR_BLOCK(ffm_add_gradient, width, vectors))(row, field, V + row->V_offset[a] + f, x, \
                                                         k, row->sums + f, gx, grad + f)
        FOR_FACTOR_BLOCKS(k, f, ADD_BLOCK)
#undef ADD_BLOCK
    }
}

/* The kernel. The next row's parameters are prefetched bit by bit, as many values of it for each
 * value of this row, so that the prefetches do not queue; what is left of them comes at the end.
 * The features that the row updates by itself are updated last, when their V is not needed any
 * more. */
static int NAME(ffm_accumulate_row)(const batch_view *batch, int64_t i, int64_t end,
                                    thread_local_data *local, void *scratch)
{
    const fastfm_csr *X = &batch->rows;
    const int64_t F = batch->model->n_fields;
    NAME(ffm_row_update) update = {.i = i};
    NAME(ffm_row) *row = &update.row;
    NAME(ffm_row_place)(row, scratch, batch->max_row, F);
    row->n_values = row->size[0];
    row->n_groups = row->size[1];
    update.by_pairs = row->n_values == row->n_groups;
    update.has_all = row->n_groups == F;
    update.prefetches_V = ffm_prefetches_V(row->n_groups, F);
    update.ahead = index_at(X->indptr, X->index_type, i + 1);
    update.end_ahead = min_i64(index_at(X->indptr, X->index_type, min_i64(i + 2, end)),
                               update.ahead + ffm_values_ahead(batch->model));
    if (NAME(ffm_takes_tiles)(row, F, batch->model->n_factors)) {
        for (int64_t a = 0, n = 1 + (F - 1) % 4; a < F; a += n, n = 4) {
            NAME(ffm_prefetch_ahead)(batch, &update, n, local);
            NAME(ffm_accumulate_tile4x4)(batch, &update, a, n, local);
        }
    } else {
        int64_t summed = -1;
        for (int64_t h = 0; h < row->n_groups; h++)
            for (int64_t a = row->group_begin[h]; a < row->group_begin[h + 1]; a++) {
                NAME(ffm_prefetch_ahead)(batch, &update, 1, local);
                NAME(ffm_accumulate_value)(batch, &update, h, a, &summed, local);
            }
    }
    NAME(ffm_prefetch_ahead)(batch, &update, update.end_ahead - update.ahead, local);
    return NAME(update_features)(batch, &local->accumulators, local->to_update, update.n_updates);
}
