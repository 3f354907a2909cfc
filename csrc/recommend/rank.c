/* fastfm_rank: learning to rank, batch by batch, with the same bits for any number of threads.
 *
 *     ITEMS      blocks of items    their sums, where most of them occur in a batch
 *     POSITIVES  blocks of them     negatives, losses and slopes
 *     ---------  one thread: the sum of losses; touched rows get their numbers
 *     ROWS       partitions         gradients of touched rows
 *     FEATURES   partitions         gradients of features, and their updates
 *     ---------  one thread: w0 and the number of steps
 *
 * Words: kernels/recommend/rank.h. The number of partitions is that of threads, and changes no bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "kernels/dispatch.h"

#define BLOCK_ITEMS 256
#define BLOCK_POSITIVES 64
#define MOST_BITMAP_BYTES ((int64_t)128 << 20) /* of seen items; above, rows are searched */
/* Items that a positive looks at, about: if a batch looks at more than there are, all are summed first. */
#define LOOKS_OF_WARP 6
#define LOOKS 2
#define RANK_WORK 40.0 /* multiply-adds of a positive for each factor, about */

typedef enum { BEGIN, ITEMS, POSITIVES, ROWS, FEATURES } rank_phase;

/* One call of fastfm_rank. */
typedef struct {
    rank_view view;
    fastfm_solver now; /* the solver, with the learning rate of the step */
    fastfm_solver *solver;
    const int64_t *order;
    int64_t n, done, batch_size; /* entries, those before this batch, and of a batch */
    rank_phase phase;
    fastfm_status status;
    double total;
    int64_t room, scratch_bytes; /* touched rows, at most; of a thread */
    int32_t *number_of;          /* (n_contexts + n_items,) the numbers of touched rows, or any */
    uint64_t *seen_bits;
    int *is_finite; /* (n_partitions,) */
    char *scratch;  /* (n_threads, scratch_bytes) */
} rank_job;

static int64_t number_row(rank_job *job, int64_t row)
{
    rank_view *view = &job->view;
    const int64_t known = job->number_of[row];
    if (known < view->n_touched && view->touched[known] == row)
        return known;
    view->touched[view->n_touched] = (int32_t)row;
    job->number_of[row] = (int32_t)view->n_touched;
    return view->n_touched++;
}

/* After POSITIVES: adds the losses in order, and numbers what is touched. */
static void number_touched(rank_job *job)
{
    rank_view *view = &job->view;
    const fastfm_ranking *ranking = view->ranking;
    const fastfm_type real = view->model->real;
    double sum = 0;
    view->n_touched = 0;
    for (int64_t r = 0; r < view->n_positives; r++) {
        const int64_t entry = view->order[r], n_contexts = ranking->contexts.n_rows;
        int32_t *local = view->local + 3 * r;
        sum += view->losses[r];
        local[0] = -1;
        if (real_at(view->g_positive, real, r) == 0 && real_at(view->g_negative, real, r) == 0)
            continue;
        local[0] = (int32_t)number_row(job, ranking->context_of[entry]);
        local[1] = (int32_t)number_row(job, n_contexts + ranking->item_of[entry]);
        local[2] = (int32_t)number_row(job, n_contexts + view->negatives[r]);
    }
    job->total += sum;
    if (sum - sum != 0) {
        job->total -= sum;
        job->status = FASTFM_DIVERGED;
    }
}

/* After FEATURES: w0, which is no feature, takes a plain step in the direction of its mean slope. */
static void end_batch(rank_job *job)
{
    rank_view *view = &job->view;
    const fastfm_type real = view->model->real;
    double slope = 0;
    if (view->ranking->loss == FASTFM_SAMPLED_LOGISTIC) {
        for (int64_t r = 0; r < view->n_positives; r++)
            slope += real_at(view->g_positive, real, r) + real_at(view->g_negative, real, r);
        slope *= job->solver->learning_rate / (double)max_i64(view->n_positives, 1);
        set_real(view->model->w0, real, 0, real_at(view->model->w0, real, 0) - slope);
    }
    for (int64_t p = 0; p < view->n_partitions; p++)
        if (!job->is_finite[p])
            job->status = FASTFM_DIVERGED;
    job->solver->n_steps++;
    job->done += view->n_positives;
}

/* Adam corrects its means for their start at 0, as in fastfm_train. */
static void begin_batch(rank_job *job)
{
    const double t = (double)job->solver->n_steps + 1;
    job->now = *job->solver;
    if (job->now.rule == FASTFM_ADAM)
        job->now.learning_rate *= sqrt(1 - pow(job->now.beta2, t)) / (1 - pow(job->now.beta1, t));
    job->view.order = job->order + job->done;
    job->view.n_positives = min_i64(job->batch_size, job->n - job->done);
}

static void run_block(void *context, int64_t block, int thread)
{
    rank_job *job = (rank_job *)context;
    const rank_view *view = &job->view;
    const int is_64 = view->model->real == FASTFM_F64;
    void *scratch = job->scratch + thread * job->scratch_bytes;
    if (job->phase == ITEMS)
        kernels()->rank_item_sums[is_64](
            view, block * BLOCK_ITEMS,
            min_i64((block + 1) * BLOCK_ITEMS, view->ranking->items.n_rows), scratch);
    else if (job->phase == POSITIVES)
        kernels()->rank_positives[is_64](view, block * BLOCK_POSITIVES,
                                         min_i64((block + 1) * BLOCK_POSITIVES, view->n_positives),
                                         scratch);
    else if (job->phase == ROWS)
        kernels()->rank_rows[is_64](view, block, 0, scratch);
    else
        job->is_finite[block] = kernels()->rank_features[is_64](view, block, 0, scratch);
}

/* The next phase; see the table at the top. */
static int next_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    rank_job *job = (rank_job *)context;
    const rank_view *view = &job->view;
    *body = run_block;
    if (job->phase == POSITIVES)
        number_touched(job);
    if (job->phase == FEATURES)
        end_batch(job);
    if (job->status != FASTFM_OK)
        return 0;
    if (job->phase == BEGIN || job->phase == FEATURES) {
        if (job->done == job->n)
            return 0;
        begin_batch(job);
        job->phase = view->is_cached ? ITEMS : POSITIVES;
    } else {
        job->phase = (rank_phase)(job->phase + 1);
    }
    *n_blocks = view->n_partitions;
    if (job->phase == ITEMS)
        *n_blocks = (view->ranking->items.n_rows + BLOCK_ITEMS - 1) / BLOCK_ITEMS;
    if (job->phase == POSITIVES)
        *n_blocks = (view->n_positives + BLOCK_POSITIVES - 1) / BLOCK_POSITIVES;
    return 1;
}

/* Carves what the job needs. */
static void carve(rank_job *job, arena *memory, int n_threads)
{
    rank_view *view = &job->view;
    const fastfm_ranking *ranking = view->ranking;
    const int64_t size = (int64_t)real_size(view->model->real), n = view->model->n_features;
    const int64_t row = view->model->n_factors * size, B = job->batch_size, room = job->room;
    const int64_t cached = view->is_cached ? ranking->items.n_rows : 0;
    job->scratch_bytes = (2 * row + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    job->scratch = (char *)arena_alloc(memory, n_threads * job->scratch_bytes);
    job->is_finite = (int *)arena_alloc(memory, view->n_partitions * (int64_t)sizeof(int));
    job->number_of =
        (int32_t *)arena_alloc(memory, 4 * (ranking->contexts.n_rows + ranking->items.n_rows));
    view->seen_bits = job->seen_bits =
        (uint64_t *)arena_alloc(memory, 8 * ranking->contexts.n_rows * view->words_per_context);
    view->item_sums = arena_alloc(memory, cached * row);
    view->item_scores = arena_alloc(memory, cached * size);
    view->g_positive = arena_alloc(memory, B * size);
    view->g_negative = arena_alloc(memory, B * size);
    view->negatives = (int32_t *)arena_alloc(memory, 4 * B);
    view->losses = (double *)arena_alloc(memory, 8 * B);
    view->context_sums = arena_alloc(memory, view->has_columns_of_contexts ? 0 : B * row);
    view->grad_context = arena_alloc(memory, B * row);
    view->touched = (int32_t *)arena_alloc(memory, 4 * room);
    view->local = (int32_t *)arena_alloc(memory, 12 * B);
    view->grad_rows = arena_alloc(memory, room * row);
    view->grad_scores = arena_alloc(memory, room * size);
    view->grad_w = arena_alloc(memory, n * size);
    view->grad_V = arena_alloc(memory, n * row);
    view->has_gradient = (uint8_t *)arena_alloc(memory, n);
    if (view->words_per_context == 0)
        view->seen_bits = NULL;
}

static void mark_seen(rank_job *job)
{
    const fastfm_ranking *ranking = job->view.ranking;
    const int64_t words = job->view.words_per_context;
    for (int64_t u = 0; words && u < ranking->contexts.n_rows; u++)
        for (int64_t e = ranking->seen_indptr[u]; e < ranking->seen_indptr[u + 1]; e++)
            job->seen_bits[u * words + ranking->seen[e] / 64] |= (uint64_t)1
                                                                 << (ranking->seen[e] % 64);
}

/* Whether every row is one value of 1. */
static int are_columns(const fastfm_rank_rows *rows, fastfm_type real)
{
    for (int64_t row = 0; row < rows->n_rows; row++)
        if (rows->indptr[row + 1] != row + 1 || real_at(rows->data, real, row) != 1)
            return 0;
    return 1;
}

/* Whether rows of one value each have a column in common; has_gradient: zeros, before and afterwards. */
static int have_common_columns(const fastfm_ranking *ranking, uint8_t *has_gradient)
{
    const fastfm_rank_rows *sides[] = {&ranking->contexts, &ranking->items};
    int is_common = 0;
    for (int mark = 1; mark >= 0; mark--)
        for (int side = 0; side < 2; side++)
            for (int64_t row = 0; row < sides[side]->n_rows; row++) {
                is_common |= mark && has_gradient[sides[side]->indices[row]];
                has_gradient[sides[side]->indices[row]] = (uint8_t)mark;
            }
    return is_common;
}

/* Sizes that depend on the interactions and the model alone. */
static void choose(rank_job *job, int n_threads)
{
    rank_view *view = &job->view;
    const fastfm_ranking *ranking = view->ranking;
    const int64_t n_contexts = ranking->contexts.n_rows, n_items = ranking->items.n_rows;
    const int64_t words = (n_items + 63) / 64, B = job->batch_size;
    const int64_t looks = ranking->loss == FASTFM_WARP ? LOOKS_OF_WARP : LOOKS;
    view->n_partitions = n_threads;
    view->words_per_context = words <= MOST_BITMAP_BYTES / 8 / max_i64(n_contexts, 1) ? words : 0;
    view->has_columns_of_contexts = are_columns(&ranking->contexts, view->model->real);
    view->has_columns_of_items = are_columns(&ranking->items, view->model->real);
    view->is_cached = n_items <= looks * B && !view->has_columns_of_items &&
                      ranking->items.indptr[n_items] > n_items;
    job->room = min_i64(B, n_contexts) + min_i64(2 * B, n_items);
}

fastfm_status fastfm_rank(const fastfm_ranking *ranking, const fastfm_model *model,
                          fastfm_solver *solver, int64_t epoch, const int64_t *order, int64_t n,
                          double *total, int num_threads)
{
    const int64_t B = min_i64(solver->batch_size, n);
    const int n_threads =
        parallel_threads(num_threads, RANK_WORK * (double)model->n_factors * (double)B);
    rank_job job = {.solver = solver, .order = order, .n = n, .batch_size = B};
    arena measure = {NULL, 0}, memory = {NULL, 0};
    void *allocated;
    job.view = (rank_view){.ranking = ranking, .model = model, .solver = &job.now, .epoch = epoch};
    job.total = *total;
    if (n == 0)
        return FASTFM_OK;
    choose(&job, n_threads);
    carve(&job, &measure, n_threads);
    allocated = calloc((size_t)(measure.used + CACHE_LINE), 1);
    if (!allocated)
        return FASTFM_NO_MEMORY;
    memory.start = align_to_line(allocated);
    carve(&job, &memory, n_threads);
    mark_seen(&job);
    job.view.is_plain = job.view.has_columns_of_contexts && job.view.has_columns_of_items &&
                        !have_common_columns(ranking, job.view.has_gradient);
    parallel_phases(next_phase, &job, n_threads);
    free(allocated);
    *total = job.total;
    return job.status;
}
