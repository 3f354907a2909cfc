/* ffm_learn: adds the gradients of a row to sums,
 *
 *     dw_i = g x_i,     dV[i, b] = g x_i ( S[b, a] - [a = b] V[i, a] x_i ),
 *     S[b, a] = sum_{j in b} V[j, a] x_j,
 *
 * with a the field of i, while V of its features is in the cache, for it has just been scored. Of a feature
 * that is in no other row of the batch this is all of the gradient, and no other row needs its V: so it is
 * updated at once, unless the row is so long that its sums fit no cache. */
typedef struct {
    NAME(ffm_row) row;
    int64_t i;                /* its place in the batch */
    int by_pairs, has_all;    /* one value in each of its fields; all fields of the model */
    int64_t n_updates;        /* slots of own->sums that it has taken */
    int64_t ahead, end_ahead; /* values of the row to come that are not prefetched yet */
    int has_most;             /* of what lies side by side in V: all of it is prefetched */
} NAME(ffm_lesson);

/* The next n values of the row to come: their parameters, and the state of what will be updated at once, or
 * the sums. */
FORCE_INLINE void NAME(ffm_prefetch_values)(const batch_data *B, NAME(ffm_lesson) * lesson,
                                            int64_t n, const thread_data *own)
{
    const fastfm_csr *X = &B->X;
    const fastfm_model *ffm = B->model;
    const int64_t row_bytes = factors_of_feature(ffm) * (int64_t)sizeof(REAL);
    const int64_t sum_bytes = B->sums.grad_stride * (int64_t)sizeof(REAL);
    const int64_t end = min_i64(lesson->ahead + n, lesson->end_ahead);
    for (; lesson->ahead < end; lesson->ahead++) {
        const int64_t j = index_at(X->indices, X->index_type, lesson->ahead);
        const int32_t number = B->number_of[lesson->ahead];
        const int32_t slot = number < 0 ? 0 : own->slot_of[number];
        prefetch_row(ffm->fields, j, sizeof(int32_t), sizeof(int32_t), 0, 1);
        if (slot < 0) {
            NAME(prefetch_state)(B, j);
            continue;
        }
        prefetch_row(ffm->w, j, ffm->n_outputs * (int64_t)sizeof(REAL), sizeof(REAL), 0, 1);
        if (number >= 0 && lesson->has_most) {
            prefetch_row(ffm->V, j, row_bytes, row_bytes, 1, 1);
            prefetch_row(B->sums.grad_V, slot, sum_bytes, sum_bytes, 0, 1);
        }
    }
}

/* Counts a row that does not have all fields. */
static void NAME(ffm_count_fields)(const gradient_sums *sums, int64_t slot, const fastfm_model *ffm,
                                   const NAME(ffm_row) * row)
{
    int32_t *counts = sums->field_counts + slot * ffm->n_fields;
    if (sums->n_partial[slot]++ == 0)
        memset(counts, 0, (size_t)ffm->n_fields * sizeof(int32_t));
    for (int64_t h = 0; h < row->n_groups; h++)
        counts[row->field[h] / ffm->n_factors]++;
}

/* Where value a adds its gradient: to the sums of its block, or to those that the row updates. */
typedef struct {
    REAL *grad_w, *grad_V;
    int is_first; /* whether it sets grad_V and does not add to it */
} NAME(ffm_target);

FORCE_INLINE NAME(ffm_target)
    NAME(ffm_target_of)(const batch_data *B, NAME(ffm_lesson) * lesson, int64_t a, thread_data *own)
{
    const fastfm_model *ffm = B->model;
    const NAME(ffm_row) *row = &lesson->row;
    const int sets_all = lesson->by_pairs && lesson->has_all;
    const int64_t C = ffm->n_outputs;
    const gradient_sums *sums = &B->sums;
    int64_t slot = own->slot_of[B->number_of[row->position[a]]];
    NAME(ffm_target) target;
    int is_first;
    if (slot < 0) {
        const REAL x = row->x[a];
        sums = &own->sums;
        slot = lesson->n_updates++;
        own->slots[slot] = (int32_t)slot;
        sums->records[slot] =
            (feature_record){.feature = row->column[a], .largest = x < 0 ? -x : x, .n_rows = 1};
        sums->n_partial[slot] = -1;
    }
    target.grad_w = (REAL *)sums->grad_w + slot * C;
    target.grad_V = (REAL *)sums->grad_V + slot * sums->grad_stride;
    is_first = sums->n_partial[slot] < 0;
    target.is_first = is_first && sets_all;
    if (is_first) {
        sums->n_partial[slot] = 0;
        for (int64_t c = 0; c < C; c++)
            target.grad_w[c] = 0;
        if (!sets_all)
            memset(target.grad_V, 0, (size_t)factors_of_feature(ffm) * sizeof(REAL));
    }
    if (!lesson->has_all)
        NAME(ffm_count_fields)(sums, slot, ffm, row);
    return target;
}

/* n values at once, from a on. */
static void NAME(ffm_learn_fours)(const batch_data *B, NAME(ffm_lesson) * lesson, int64_t a,
                                  int64_t n, thread_data *own)
{
    const int64_t C = B->model->n_outputs, block = B->model->n_fields * 4;
    const NAME(ffm_row) *row = &lesson->row;
    NAME(ffm_fours) fours = {.own = row->field[a]};
    NAME(ffm_target) target[4];
    for (int64_t i = 0; i < n; i++) {
        target[i] = NAME(ffm_target_of)(B, lesson, a + i, own);
        fours.is_first[i] = target[i].is_first;
    }
    for (int64_t c = 0; c < C; c++) {
        const REAL g = ((const REAL *)B->dscores)[lesson->i * C + c];
        for (int64_t i = 0; i < n; i++) {
            fours.gx[i] = g * row->x[a + i];
            fours.grad[i] = target[i].grad_V + c * block;
            target[i].grad_w[c] += fours.gx[i];
        }
        NAME(ffm_add_fours)(row, &fours, n, (const REAL *)B->model->V + c * block);
    }
}

/* Value a of group h. *summed: for which group and output row->sums holds S[b, own] of all groups b. */
static void NAME(ffm_learn_value)(const batch_data *B, NAME(ffm_lesson) * lesson, int64_t h,
                                  int64_t a, int64_t *summed, thread_data *own)
{
    const fastfm_model *ffm = B->model;
    const NAME(ffm_row) *row = &lesson->row;
    const int64_t k = ffm->n_factors, C = ffm->n_outputs, block = ffm->n_fields * k;
    const int64_t field = row->field[h];
    const REAL x = row->x[a];
    const NAME(ffm_target) target = NAME(ffm_target_of)(B, lesson, a, own);
    for (int64_t c = 0; c < C; c++) {
        const REAL gx = ((const REAL *)B->dscores)[lesson->i * C + c] * x;
        const REAL *V = (const REAL *)ffm->V + c * block + field;
        REAL *grad = target.grad_V + c * block;
        int64_t f = 0;
        target.grad_w[c] += gx;
        if (lesson->by_pairs) {
#define ADD_PAIRS(lanes) \
    NAME(CONCAT(ffm_add_pairs_, lanes))(row, 0, field, V + f, gx, target.is_first, grad + f)
            FOR_FACTORS(k, f, ADD_PAIRS)
#undef ADD_PAIRS
            continue;
        }
        if (*summed != h * C + c) {
#define SUMS_FOR(lanes) NAME(CONCAT(ffm_sums_for_, lanes))(row, V + f, k, row->sums + f)
            FOR_FACTORS(k, f, SUMS_FOR)
#undef SUMS_FOR
            *summed = h * C + c;
            f = 0;
        }
#define GRADIENT_VALUE(lanes)                                                         \
    NAME(CONCAT(ffm_gradient_value_, lanes))(row, field, V + row->block[a] + f, x, k, \
                                             row->sums + f, gx, grad + f)
        FOR_FACTORS(k, f, GRADIENT_VALUE)
#undef GRADIENT_VALUE
    }
}

static int NAME(ffm_learn)(const batch_data *B, int64_t i, int64_t end, thread_data *own,
                           void *scratch)
{
    const fastfm_csr *X = &B->X;
    const int64_t F = B->model->n_fields;
    NAME(ffm_lesson) lesson = {.i = i};
    NAME(ffm_row) *row = &lesson.row;
    NAME(ffm_row_place)(row, scratch, B->max_row, F);
    row->n_values = row->size[0];
    row->n_groups = row->size[1];
    lesson.by_pairs = row->n_values == row->n_groups;
    lesson.has_all = row->n_groups == F;
    lesson.has_most = ffm_prefetches_blocks(row->n_groups, F);
    lesson.ahead = index_at(X->indptr, X->index_type, i + 1);
    lesson.end_ahead = min_i64(index_at(X->indptr, X->index_type, min_i64(i + 2, end)),
                               lesson.ahead + ffm_values_ahead(B->model));
    if (NAME(ffm_has_fours)(row, F, B->model->n_factors)) {
        for (int64_t a = 0, n = 1 + (F - 1) % 4; a < F; a += n, n = 4) {
            NAME(ffm_prefetch_values)(B, &lesson, n, own);
            NAME(ffm_learn_fours)(B, &lesson, a, n, own);
        }
    } else {
        int64_t summed = -1;
        for (int64_t h = 0; h < row->n_groups; h++)
            for (int64_t a = row->group_begin[h]; a < row->group_begin[h + 1]; a++) {
                NAME(ffm_prefetch_values)(B, &lesson, 1, own);
                NAME(ffm_learn_value)(B, &lesson, h, a, &summed, own);
            }
    }
    NAME(ffm_prefetch_values)(B, &lesson, lesson.end_ahead - lesson.ahead, own);
    return NAME(update_slots)(B, &own->sums, own->slots, lesson.n_updates);
}
