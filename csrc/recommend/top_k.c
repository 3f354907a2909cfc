/* fastfm_top_k and fastfm_candidate_scores: contexts in blocks, candidates in passes that stay in the
 * cache, and no matrix of all scores.
 *
 * Threads share work items: a block of contexts beside one range of the candidates. There are several
 * ranges only where there are fewer blocks than threads. The best of a context in each range are then
 * joined by one thread: entries are in a total order (selection.h), so the ranges change nothing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "recommend/contexts.h"
#include "recommend/selection.h"
#include "rows/blocks.h"

#define BUFFER_BYTES \
    (1 << 20)              /* of the selections of a block; a large k makes its blocks smaller */
#define ITEMS_PER_THREAD 4 /* work items, so that no thread waits long for the last one */

/* One call of either function. */
typedef struct {
    const fastfm_csr *X, *excluded;
    const fastfm_candidates *candidates;
    const void *own; /* (n_rows,) the scores of the contexts alone, or NULL */
    int64_t k;       /* at most n_candidates; 0 to write all scores */
    int64_t k_asked; /* entries of a row of the results */
    int64_t block_contexts, n_blocks, n_ranges, n_panels;
    int64_t *indices; /* the caller's arrays */
    char *scores;     /* those of the best, or all scores */
    scored *parts;    /* with several ranges: (n_rows, n_ranges, k) the best of each, */
    int64_t *n_parts; /* (n_rows, n_ranges) and how many they are */
    char *memory;     /* (n_threads, thread_bytes) */
    int64_t thread_bytes;
} top_k_job;

/* Whether candidate `index` is excluded for a context. *next is where its row was left: indices rise. */
static int is_excluded(const fastfm_csr *excluded, int64_t row, int64_t index, int64_t *next)
{
    const int64_t end = index_at(excluded->indptr, excluded->index_type, row + 1);
    int64_t low = *next, high, step = 1;
    while (low + step < end &&
           index_at(excluded->indices, excluded->index_type, low + step) < index) {
        low += step;
        step *= 2;
    }
    high = min_i64(low + step, end);
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (index_at(excluded->indices, excluded->index_type, middle) < index)
            low = middle + 1;
        else
            high = middle;
    }
    *next = low;
    return low < end && index_at(excluded->indices, excluded->index_type, low) == index;
}

/* Adds those of n scores, of candidates from `first` on, that are above the threshold. */
static void select_above(const top_k_job *job, selection *best, int64_t row, int64_t *next,
                         const void *scores, int64_t first, int64_t n)
{
    const fastfm_type real = job->candidates->model->real;
    const next_above_kernel next_above = kernels()->next_above[real == FASTFM_F64];
    for (int64_t i = next_above(scores, 0, n, best->threshold); i < n;
         i = next_above(scores, i + 1, n, best->threshold))
        if (!job->excluded || !is_excluded(job->excluded, row, first + i, next))
            selection_add(best, real_at(scores, real, i), first + i);
}

/* Scores panels [begin, end) beside one tile, and writes or selects them. */
static void score_pass(const top_k_job *job, const context_block *block, const context_tile *at,
                       int64_t row, int64_t begin, int64_t end, selection *best, int64_t *next)
{
    const fastfm_candidates *candidates = job->candidates;
    const int64_t size = (int64_t)real_size(candidates->model->real);
    const int64_t stride = block->panels_per_pass * FASTFM_PANEL, first = begin * FASTFM_PANEL;
    const int64_t n = min_i64(end * FASTFM_PANEL, candidates->n_candidates) - first;
    kernels()->score_tile[size == 8](&at->tile, begin, end, block->scores, stride);
    for (int64_t c = 0; c < at->n; c++) {
        const char *scores = block->scores + c * stride * size;
        const int64_t i = row + at->first + c;
        if (job->k == 0)
            memcpy(job->scores + (i * candidates->n_candidates + first) * size, scores,
                   (size_t)(n * size));
        else
            select_above(job, best + at->first + c, i, next + at->first + c, scores, first, n);
    }
}

/* Writes the best of a context, and fills up the row. */
static void write_best(const top_k_job *job, int64_t row, const scored *entries, int64_t n)
{
    const fastfm_type real = job->candidates->model->real;
    for (int64_t i = 0; i < job->k_asked; i++) {
        job->indices[row * job->k_asked + i] = i < n ? entries[i].index : -1;
        set_real(job->scores, real, row * job->k_asked + i, i < n ? entries[i].score : -INFINITY);
    }
}

/* A thread's memory for one work item. */
typedef struct {
    context_block contexts;
    selection *best; /* (block_contexts,) */
    int64_t *next;   /* (block_contexts,) where the excluded entries of a context were left */
    scored *entries; /* (block_contexts, selection_room(k)) */
} item_memory;

static void carve_item(const top_k_job *job, item_memory *item, arena *memory)
{
    const int64_t n = job->block_contexts, room = selection_room(job->k);
    item->contexts = (context_block){.candidates = job->candidates, .max_contexts = n};
    context_block_carve(&item->contexts, memory);
    item->best = (selection *)arena_alloc(memory, n * (int64_t)sizeof(selection));
    item->next = (int64_t *)arena_alloc(memory, n * (int64_t)sizeof(int64_t));
    item->entries =
        job->k ? (scored *)arena_alloc(memory, n * room * (int64_t)sizeof(scored)) : NULL;
}

/* Hands over what a work item has selected for its contexts. */
static void end_item(const top_k_job *job, item_memory *item, int64_t row, int64_t range)
{
    for (int64_t c = 0; c < item->contexts.n_contexts; c++) {
        selection *best = item->best + c;
        const int64_t at = (row + c) * job->n_ranges + range;
        selection_finish(best);
        if (job->n_ranges == 1) {
            write_best(job, row + c, best->entries, best->n);
            continue;
        }
        memcpy(job->parts + at * job->k, best->entries, (size_t)best->n * sizeof(scored));
        job->n_parts[at] = best->n;
    }
}

/* One work item: a block of contexts beside a range of panels. */
static void work_item(void *context, int64_t number, int thread)
{
    const top_k_job *job = (const top_k_job *)context;
    const int64_t row = number / job->n_ranges * job->block_contexts;
    const int64_t range = number % job->n_ranges;
    const int64_t n = min_i64(job->block_contexts, job->X->n_rows - row);
    const int64_t begin = range * job->n_panels / job->n_ranges;
    const int64_t end = (range + 1) * job->n_panels / job->n_ranges;
    arena memory = {job->memory + thread * job->thread_bytes, 0};
    item_memory item;
    carve_item(job, &item, &memory);
    const context_block *block = &item.contexts;
    context_block_load(&item.contexts, job->X, job->own, row, n);
    for (int64_t c = 0; c < n && job->k > 0; c++) {
        selection_begin(item.best + c, job->k, item.entries + c * selection_room(job->k));
        item.next[c] =
            job->excluded ? index_at(job->excluded->indptr, job->excluded->index_type, row + c) : 0;
    }
    for (int64_t panel = begin; panel < end; panel += block->panels_per_pass)
        for (int64_t t = 0; t < block->n_tiles; t++)
            score_pass(job, block, &block->tiles[t], row, panel,
                       min_i64(panel + block->panels_per_pass, end), item.best, item.next);
    if (job->k > 0)
        end_item(job, &item, row, range);
}

/* Joins the ranges of each context: their entries are looked at in the order of ranges. */
static void join_ranges(const top_k_job *job, scored *entries)
{
    for (int64_t i = 0; i < job->X->n_rows; i++) {
        selection best;
        selection_begin(&best, job->k, entries);
        for (int64_t at = i * job->n_ranges; at < (i + 1) * job->n_ranges; at++)
            for (int64_t e = 0; e < job->n_parts[at]; e++)
                selection_add(&best, job->parts[at * job->k + e].score,
                              job->parts[at * job->k + e].index);
        selection_finish(&best);
        write_best(job, i, best.entries, best.n);
    }
}

/* Memory for the threads, and for the joining of ranges. */
static void *allocate(top_k_job *job, int n_threads, scored **entries)
{
    const int64_t n_parts = job->n_ranges > 1 && job->k ? job->X->n_rows * job->n_ranges : 0;
    void *allocated = NULL;
    for (int pass = 0; pass < 2; pass++) {
        arena memory = {allocated ? align_to_line(allocated) : NULL, 0};
        arena measure = {NULL, 0};
        item_memory item;
        carve_item(job, &item, &measure);
        job->thread_bytes = measure.used;
        job->memory = (char *)arena_alloc(&memory, n_threads * measure.used);
        job->parts = (scored *)arena_alloc(&memory, n_parts * job->k * (int64_t)sizeof(scored));
        job->n_parts = (int64_t *)arena_alloc(&memory, n_parts * (int64_t)sizeof(int64_t));
        *entries = (scored *)arena_alloc(
            &memory, n_parts ? selection_room(job->k) * (int64_t)sizeof(scored) : 0);
        if (pass == 0 && !(allocated = malloc((size_t)(memory.used + CACHE_LINE))))
            return NULL;
    }
    return allocated;
}

static fastfm_status run(top_k_job *job, int num_threads)
{
    const int64_t m = job->X->n_rows, terms = fastfm_n_terms(job->candidates) + 1;
    const double work = (double)m * (double)job->candidates->n_candidates * (double)terms / 8;
    const int n_threads = parallel_threads(num_threads, work);
    const int64_t room = job->k ? selection_room(job->k) * (int64_t)sizeof(scored) : 1;
    scored *entries;
    void *allocated;
    job->block_contexts = max_i64(1, min_i64(min_i64(BLOCK_CONTEXTS, m), BUFFER_BYTES / room));
    job->n_blocks = (m + job->block_contexts - 1) / job->block_contexts;
    job->n_panels = (job->candidates->n_candidates + FASTFM_PANEL - 1) / FASTFM_PANEL;
    job->n_ranges = 1;
    if (n_threads > 1 && job->n_blocks < 2 * n_threads)
        job->n_ranges =
            max_i64(1, min_i64(ITEMS_PER_THREAD * n_threads / job->n_blocks, job->n_panels / 64));
    allocated = allocate(job, n_threads, &entries);
    if (!allocated)
        return FASTFM_NO_MEMORY;
    parallel_for(job->n_blocks * job->n_ranges, work_item, job, n_threads);
    if (job->n_ranges > 1 && job->k)
        join_ranges(job, entries);
    free(allocated);
    return FASTFM_OK;
}

fastfm_status fastfm_candidate_scores(const fastfm_csr *X, const fastfm_candidates *candidates,
                                      const void *own, void *scores, int num_threads)
{
    top_k_job job = {
        .X = X, .candidates = candidates, .own = own, .k = 0, .scores = (char *)scores};
    if (X->n_rows == 0 || candidates->n_candidates == 0)
        return FASTFM_OK;
    return run(&job, num_threads);
}

fastfm_status fastfm_top_k(const fastfm_csr *X, const fastfm_candidates *candidates,
                           const void *own, int64_t k, const fastfm_csr *excluded, int64_t *indices,
                           void *scores, int num_threads)
{
    top_k_job job = {.X = X,
                     .excluded = excluded,
                     .candidates = candidates,
                     .own = own,
                     .k = min_i64(k, candidates->n_candidates),
                     .k_asked = k,
                     .indices = indices,
                     .scores = (char *)scores};
    if (job.k == 0)
        for (int64_t i = 0; i < X->n_rows; i++)
            write_best(&job, i, NULL, 0);
    if (X->n_rows == 0 || job.k == 0)
        return FASTFM_OK;
    return run(&job, num_threads);
}
