/* rank_positives: draws the negatives of positives and differentiates their losses. With y the score of an
 * item beside the context, i the positive, j a negative:
 *
 *     BPR       log(1 + exp(y_j - y_i))                                        (Rendle et al. 2009)
 *     WARP      log(max(1, floor(N / t))) (1 - y_i + y_j), where j is the t-th negative drawn and the
 *               first with y_j > y_i - 1; N unseen items                       (Weston et al. 2011)
 *     LOGISTIC  log(1 + exp(-y_i)) + log(1 + exp(y_j))
 *
 * each times the weight of the positive. What is the same for all items of a context, w0 and the score of
 * the context alone, counts in LOGISTIC only. Words and memory: recommend/rank.h.
 * Template parameters: REAL, NAME (instantiate.inc.h). */

#ifndef FASTFM_RANK_LOSSES
#define FASTFM_RANK_LOSSES
/* Draws that may hit a seen item before the unseen ones are counted out; see draw_unseen. */
#define MOST_REJECTIONS 64
/* Positives whose rows are prefetched before the first of them is scored, and draws of each by WARP. */
#define OPEN_POSITIVES 16
#define WARP_AHEAD 4

FORCE_INLINE int is_seen(const rank_view *view, int64_t context, int64_t item)
{
    const fastfm_ranking *ranking = view->ranking;
    int64_t low, high;
    if (view->seen_bits)
        return (int)(view->seen_bits[context * view->words_per_context + item / 64] >> (item % 64) &
                     1);
    low = ranking->seen_indptr[context];
    high = ranking->seen_indptr[context + 1];
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (ranking->seen[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranking->seen_indptr[context + 1] && ranking->seen[low] == item;
}

FORCE_INLINE void prefetch_seen(const rank_view *view, int64_t context, int64_t item)
{
    if (view->seen_bits)
        PREFETCH_L1(view->seen_bits + context * view->words_per_context + item / 64);
}

/* The next entries of the interactions, from positive r on. */
FORCE_INLINE void prefetch_entries(const rank_view *view, int64_t r)
{
    for (const int64_t end = min_i64(r + OPEN_POSITIVES, view->n_positives); r < end; r++) {
        PREFETCH_L1(view->ranking->context_of + view->order[r]);
        PREFETCH_L1(view->ranking->item_of + view->order[r]);
        if (view->ranking->weight)
            PREFETCH_L1(view->ranking->weight + view->order[r]);
    }
}

/* An unseen item from the pool; the context has n_unseen of them, at least 1. After many seen ones in a
 * row, one of the unseen is taken by its rank, so that the search ends. */
FORCE_INLINE int64_t draw_unseen(const rank_view *view, int64_t context, int64_t n_unseen,
                                 draws *of_row)
{
    const fastfm_ranking *ranking = view->ranking;
    int64_t rank, i = 0;
    for (int n = 0; n < MOST_REJECTIONS; n++) {
        const int64_t item = ranking->pool[draw_below(of_row, ranking->n_pool)];
        if (!is_seen(view, context, item))
            return item;
    }
    rank = draw_below(of_row, n_unseen);
    for (;; i++)
        if (!is_seen(view, context, ranking->eligible[i]) && rank-- == 0)
            return ranking->eligible[i];
}

/* log(1 + exp(x)), without overflow; *slope is set to its derivative. */
FORCE_INLINE double softplus(double x, double *slope)
{
    const double e = exp(x < 0 ? x : -x);
    *slope = x < 0 ? e / (1 + e) : 1 / (1 + e);
    return (x < 0 ? 0 : x) + log1p(e);
}
#endif

/* A positive at work. */
typedef struct {
    int64_t context, item, n_unseen;
    double weight;
    draws of_row;
    const REAL *q, *s_i, *s_j; /* sums of the context, the positive and the negative */
    REAL y_i, y_j, *room;      /* room: (k,) for s_j */
    int64_t negative;
    double g_i, g_j, loss;
} NAME(positive);

FORCE_INLINE void NAME(draw_negative)(const rank_view *view, NAME(positive) * at)
{
    REAL alone;
    at->negative = draw_unseen(view, at->context, at->n_unseen, &at->of_row);
    at->s_j = NAME(rank_item)(view, at->negative, at->room, &alone);
    at->y_j = alone + NAME(rank_dot)(at->q, at->s_j, view->model->n_factors);
}

FORCE_INLINE void NAME(rank_warp)(const rank_view *view, NAME(positive) * at)
{
    for (int64_t t = 1; t <= view->ranking->max_tries; t++) {
        NAME(draw_negative)(view, at);
        if (at->y_j <= at->y_i - 1) /* NaN goes on: it makes the loss one, which is then seen */
            continue;
        const int64_t ratio = at->n_unseen / t;
        const double l = log((double)max_i64(1, ratio));
        at->loss = l * (1 - (double)at->y_i + (double)at->y_j);
        at->g_i = -l;
        at->g_j = l;
        return;
    }
}

/* Loss and slopes of one positive, without its weight. */
FORCE_INLINE void NAME(rank_loss)(const rank_view *view, NAME(positive) * at, REAL of_context)
{
    at->g_i = at->g_j = at->loss = 0;
    at->negative = -1;
    at->s_j = at->s_i;
    if (at->n_unseen <= 0)
        return;
    if (view->ranking->loss == FASTFM_WARP) {
        NAME(rank_warp)(view, at);
        return;
    }
    NAME(draw_negative)(view, at);
    if (view->ranking->loss == FASTFM_BPR) {
        at->loss = softplus((double)at->y_j - (double)at->y_i, &at->g_j);
        at->g_i = -at->g_j;
    } else {
        const double y_i = (double)(at->y_i + of_context), y_j = (double)(at->y_j + of_context);
        at->loss = softplus(-y_i, &at->g_i);
        at->g_i = -at->g_i;
        at->loss += softplus(y_j, &at->g_j);
    }
}

/* Reads what is known of positive r before its negatives are scored. */
FORCE_INLINE void NAME(open_positive)(const rank_view *view, int64_t r, NAME(positive) * at)
{
    const fastfm_ranking *ranking = view->ranking;
    const int64_t entry = view->order[r], n_draws = ranking->loss == FASTFM_WARP ? WARP_AHEAD : 1;
    at->context = ranking->context_of[entry];
    at->item = ranking->item_of[entry];
    at->weight = ranking->weight ? ranking->weight[entry] : 1;
    at->n_unseen = ranking->n_eligible - ranking->seen_indptr[at->context + 1] +
                   ranking->seen_indptr[at->context];
    at->of_row = draws_of(ranking->seed, view->epoch, entry);
    next_numbers(&at->of_row);
    NAME(prefetch_sums)(view, &ranking->contexts, at->context);
    NAME(prefetch_item)(view, at->item);
    for (int64_t t = 1; t <= n_draws; t++) {
        const int64_t item =
            ranking->pool[number_below(at->of_row.numbers[4 - t], ranking->n_pool)];
        prefetch_seen(view, at->context, item);
        NAME(prefetch_item)(view, item);
    }
}

/* Scores positive r and its negatives, and writes its slopes. */
FORCE_INLINE void NAME(close_positive)(const rank_view *view, int64_t r, NAME(positive) * at,
                                       REAL *scratch)
{
    const int64_t k = view->model->n_factors;
    REAL *q = (REAL *)view->context_sums + r * k, *grad = (REAL *)view->grad_context + r * k;
    REAL of_context, alone, g_i, g_j;
    at->q = NAME(rank_context)(view, at->context, q, &of_context);
    if (at->q != q && !view->has_columns_of_contexts)
        memcpy(q, at->q, (size_t)k * sizeof *q);
    at->room = scratch + k;
    at->s_i = NAME(rank_item)(view, at->item, scratch, &alone);
    at->y_i = alone + NAME(rank_dot)(at->q, at->s_i, k);
    NAME(rank_loss)(view, at, of_context + *(const REAL *)view->model->w0);
    g_i = (REAL)(at->g_i * at->weight);
    g_j = (REAL)(at->g_j * at->weight);
    ((REAL *)view->g_positive)[r] = g_i;
    ((REAL *)view->g_negative)[r] = g_j;
    view->negatives[r] = (int32_t)at->negative;
    view->losses[r] = at->loss * at->weight;
    if (g_i == 0 && g_j == 0)
        return;
    for (int64_t f = 0; f < k; f++)
        grad[f] = g_i * at->s_i[f] + g_j * at->s_j[f];
}

static int NAME(rank_positives)(const rank_view *view, int64_t begin, int64_t end, void *scratch)
{
    NAME(positive) opened[OPEN_POSITIVES];
    for (int64_t first = begin; first < end; first += OPEN_POSITIVES) {
        const int64_t n = min_i64(OPEN_POSITIVES, end - first);
        prefetch_entries(view, first + n);
        for (int64_t r = 0; r < n; r++)
            NAME(open_positive)(view, first + r, opened + r);
        for (int64_t r = 0; r < n; r++)
            NAME(close_positive)(view, first + r, opened + r, (REAL *)scratch);
    }
    return 1;
}
