/* rank_rows and rank_features: the gradients of a batch, summed in the order of its positives, first by
 * touched row, then by feature in the order of touched rows; then each feature is updated once. With
 * G the gradient of a row's sums and c that of its score alone,
 *
 *     dw_j = sum c x_j,     dv_j = sum x_j G,     with own pairs  sum x_j (G + c s) - c x_j^2 v_j
 *
 * A thread walks all of the batch and adds what belongs to its partition: so the order of a sum does not
 * depend on the number of partitions. Words and memory: recommend/rank.h.
 * Template parameters: REAL, NAME (instantiate.inc.h). */

#ifndef FASTFM_RANK_PARTITIONS
#define FASTFM_RANK_PARTITIONS
/* Features of one cache line of has_gradient are of one partition. */
FORCE_INLINE int is_of_partition(const rank_view *view, int64_t feature, int64_t partition)
{
    return view->n_partitions == 1 || feature / CACHE_LINE % view->n_partitions == partition;
}

/* The row of a touched row's number, and the matrix that it is in. */
FORCE_INLINE const fastfm_rank_rows *touched_rows(const rank_view *view, int64_t local,
                                                  int64_t *row)
{
    const fastfm_ranking *ranking = view->ranking;
    const int64_t number = view->touched[local];
    const int is_item = number >= ranking->contexts.n_rows;
    *row = is_item ? number - ranking->contexts.n_rows : number;
    return is_item ? &ranking->items : &ranking->contexts;
}
#endif

/* The sums of the context of positive r. */
FORCE_INLINE const REAL *NAME(sums_of_context)(const rank_view *view, int64_t r)
{
    const int64_t k = view->model->n_factors;
    REAL score;
    if (!view->has_columns_of_contexts)
        return (const REAL *)view->context_sums + r * k;
    return NAME(rank_column)(view, &view->ranking->contexts,
                             view->ranking->context_of[view->order[r]], &score);
}

/* Partition `partition`: the touched rows whose number has this remainder. */
static int NAME(rank_rows)(const rank_view *view, int64_t partition, int64_t end, void *scratch)
{
    const int64_t k = view->model->n_factors, n = view->n_partitions;
    REAL *grad_rows = (REAL *)view->grad_rows, *grad_scores = (REAL *)view->grad_scores;
    (void)end;
    for (int64_t l = partition; l < view->n_touched; l += n) {
        memset(grad_rows + l * k, 0, (size_t)k * sizeof *grad_rows);
        grad_scores[l] = 0;
    }
    for (int64_t r = 0; r < view->n_positives; r++) {
        const int32_t *local = view->local + 3 * r;
        const REAL g_i = ((const REAL *)view->g_positive)[r];
        const REAL g_j = ((const REAL *)view->g_negative)[r];
        const REAL *q;
        if (local[0] < 0)
            continue;
        q = NAME(sums_of_context)(view, r);
        if (local[0] % n == partition) {
            NAME(rank_add)(grad_rows + local[0] * k, 1, (const REAL *)view->grad_context + r * k,
                           k);
            grad_scores[local[0]] += g_i + g_j;
        }
        if (local[1] % n == partition) {
            NAME(rank_add)(grad_rows + local[1] * k, g_i, q, k);
            grad_scores[local[1]] += g_i;
        }
        if (local[2] % n == partition) {
            NAME(rank_add)(grad_rows + local[2] * k, g_j, q, k);
            grad_scores[local[2]] += g_j;
        }
    }
    for (int64_t l = partition; view->ranking->has_own_pairs && l < view->n_touched; l += n) {
        int64_t row;
        REAL alone;
        const fastfm_rank_rows *rows = touched_rows(view, l, &row);
        if (rows->indptr[row + 1] - rows->indptr[row] > 1)
            NAME(rank_add)(grad_rows + l * k, grad_scores[l],
                           NAME(rank_row)(view, rows, row, (REAL *)scratch, &alone), k);
    }
    return 1;
}

/* Adds the gradient of a touched row to the features of the partition. */
FORCE_INLINE void NAME(rank_scatter)(const rank_view *view, int64_t partition, int64_t l)
{
    const int64_t k = view->model->n_factors;
    const REAL *G = (const REAL *)view->grad_rows + l * k;
    const REAL c = ((const REAL *)view->grad_scores)[l];
    int64_t row;
    const fastfm_rank_rows *rows = touched_rows(view, l, &row);
    const int64_t begin = rows->indptr[row], end = rows->indptr[row + 1];
    const int has_pairs = view->ranking->has_own_pairs && end - begin > 1;
    for (int64_t p = begin; p < end; p++) {
        const int64_t j = rows->indices[p];
        const REAL x = ((const REAL *)rows->data)[p];
        if (!is_of_partition(view, j, partition))
            continue;
        view->has_gradient[j] = 1;
        ((REAL *)view->grad_w)[j] += c * x;
        NAME(rank_add)((REAL *)view->grad_V + j * k, x, G, k);
        if (has_pairs)
            NAME(rank_add)((REAL *)view->grad_V + j * k, -c * x * x,
                           (const REAL *)view->model->V + j * k, k);
    }
}

/* How the parameters of features are updated. */
typedef struct {
    NAME(rule) linear, factors;
} NAME(rank_rules);

/* Updates a feature by the gradients of its w and of its factors. */
FORCE_INLINE int NAME(rank_update)(const rank_view *view, const NAME(rank_rules) * rules, int64_t j,
                                   const REAL *g_w, const REAL *g_V)
{
    const fastfm_solver *solver = view->solver;
    const int64_t k = view->model->n_factors;
    REAL *w = (REAL *)view->model->w + j;
    REAL *w0 = (REAL *)solver->state[0].w, *w1 = (REAL *)solver->state[1].w;
    REAL *V0 = (REAL *)solver->state[0].V, *V1 = (REAL *)solver->state[1].V;
    int all_finite = 1;
    /* BPR and WARP have no gradient for w of contexts: rounding must not make one. */
    if (*g_w != 0 || *w != 0)
        all_finite = NAME(update_span)(solver, &rules->linear, 1, w, w0 ? w0 + j : NULL,
                                       w1 ? w1 + j : NULL, g_w);
    all_finite &= NAME(update_span)(solver, &rules->factors, k, (REAL *)view->model->V + j * k,
                                    V0 ? V0 + j * k : NULL, V1 ? V1 + j * k : NULL, g_V);
    return all_finite;
}

/* Updates the columns of the touched rows of the partition, each from the gradient of its row. */
FORCE_INLINE int NAME(rank_columns)(const rank_view *view, const NAME(rank_rules) * rules,
                                    int64_t partition)
{
    const int64_t k = view->model->n_factors, step = view->n_partitions;
    const int64_t bytes = k * (int64_t)sizeof(REAL);
    int all_finite = 1;
    for (int64_t l = partition; l < view->n_touched; l += step) {
        int64_t row;
        const fastfm_rank_rows *rows = touched_rows(view, l, &row);
        const int64_t j = rows->indices[row];
        if (l + 4 * step < view->n_touched) {
            int64_t next_row;
            const fastfm_rank_rows *next = touched_rows(view, l + 4 * step, &next_row);
            prefetch_row(view->model->V, next->indices[next_row], bytes, bytes, 0, 0);
            if (view->solver->state[0].V)
                prefetch_row(view->solver->state[0].V, next->indices[next_row], bytes, bytes, 0, 0);
        }
        all_finite &= NAME(rank_update)(view, rules, j, (const REAL *)view->grad_scores + l,
                                        (const REAL *)view->grad_rows + l * k);
    }
    return all_finite;
}

static int NAME(rank_features)(const rank_view *view, int64_t partition, int64_t end, void *scratch)
{
    const fastfm_solver *solver = view->solver;
    const int64_t k = view->model->n_factors;
    NAME(rank_rules) rules = {NAME(rule_of)(solver, 0), NAME(rule_of)(solver, 0)};
    int all_finite = 1;
    (void)end, (void)scratch;
    NAME(set_feature_terms)(&rules.linear, solver, solver->l2_linear, 1);
    NAME(set_feature_terms)(&rules.factors, solver, solver->l2_factors, 1);
    if (view->is_plain)
        return NAME(rank_columns)(view, &rules, partition);
    for (int64_t l = 0; l < view->n_touched; l++)
        NAME(rank_scatter)(view, partition, l);
    for (int64_t l = 0; l < view->n_touched; l++) {
        int64_t row;
        const fastfm_rank_rows *rows = touched_rows(view, l, &row);
        for (int64_t p = rows->indptr[row]; p < rows->indptr[row + 1]; p++) {
            const int64_t j = rows->indices[p];
            REAL *g_w = (REAL *)view->grad_w + j, *g_V = (REAL *)view->grad_V + j * k;
            if (!is_of_partition(view, j, partition) || !view->has_gradient[j])
                continue;
            all_finite &= NAME(rank_update)(view, &rules, j, g_w, g_V);
            *g_w = 0;
            memset(g_V, 0, (size_t)k * sizeof *g_V);
            view->has_gradient[j] = 0;
        }
    }
    return all_finite;
}
