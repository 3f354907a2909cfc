/* The colours of columns, and how their visits are shared out. */
#include <stdlib.h>
#include <string.h>

#include "solvers/columns_plan.h"

/* A colour with fewer values, and light columns only, is left to one thread. */
#define SMALL_COLOUR 4096

/* Which colours are taken in each row: bit c of masks[c / 64][row] for colour c. There are as many masks
 * as have half the size of the columns: columns beyond their colours get one each. */
typedef struct {
    uint64_t **masks;
    int64_t n_masks, most;
} taken_colours;

static fastfm_status add_mask(taken_colours *taken, int64_t n_rows)
{
    uint64_t *mask = (uint64_t *)calloc((size_t)n_rows + 1, sizeof(uint64_t));
    if (!mask)
        return FASTFM_NO_MEMORY;
    taken->masks[taken->n_masks++] = mask;
    return FASTFM_OK;
}

/* The colours of a mask that are taken in no row of the column, as bits. */
static uint64_t free_colours(const column_plan *plan, int64_t column, const uint64_t *mask)
{
    uint64_t found = 0;
    for (int64_t p = plan->begins[column]; p < plan->begins[column + 1] && ~found; p++)
        found |= mask[plan->rows[p]];
    return ~found;
}

static void take_colour(const column_plan *plan, int64_t column, uint64_t *mask, uint64_t bit)
{
    for (int64_t p = plan->begins[column]; p < plan->begins[column + 1]; p++)
        mask[plan->rows[p]] |= bit;
}

/* The smallest colour that a column may have, or a new one; then it is taken. */
static fastfm_status colour_column(column_plan *plan, taken_colours *taken, int64_t column,
                                   int32_t *colour)
{
    for (int64_t m = 0; m < taken->most; m++) {
        if (m == taken->n_masks && add_mask(taken, plan->n_rows) != FASTFM_OK)
            return FASTFM_NO_MEMORY;
        const uint64_t free_bits = free_colours(plan, column, taken->masks[m]);
        if (free_bits) {
            const uint64_t bit = free_bits & (0 - free_bits);
            int64_t number = 64 * m;
            for (uint64_t b = bit; b > 1; b >>= 1)
                number++;
            take_colour(plan, column, taken->masks[m], bit);
            *colour = (int32_t)number;
            plan->n_colours = max_i64(plan->n_colours, number + 1);
            return FASTFM_OK;
        }
    }
    *colour = (int32_t)plan->n_colours++;
    return FASTFM_OK;
}

/* Greedy, in the order of columns. */
fastfm_status plan_colours(column_plan *plan, int32_t *colour_of)
{
    taken_colours taken = {.most = 2 + plan->nnz / (4 * max_i64(plan->n_rows, 1))};
    fastfm_status status = FASTFM_OK;
    taken.masks = (uint64_t **)calloc((size_t)taken.most, sizeof(uint64_t *));
    if (!taken.masks)
        return FASTFM_NO_MEMORY;
    for (int64_t j = 0; j < plan->n_columns && status == FASTFM_OK; j++) {
        colour_of[j] = -1;
        if (plan->begins[j + 1] > plan->begins[j])
            status = colour_column(plan, &taken, j, colour_of + j);
    }
    for (int64_t m = 0; m < taken.n_masks; m++)
        free(taken.masks[m]);
    free(taken.masks);
    return status;
}

static int64_t column_values(const column_plan *plan, int64_t column)
{
    return plan->begins[column + 1] - plan->begins[column];
}

static int is_heavy(const column_plan *plan, int64_t column)
{
    return column_values(plan, column) > COLUMN_CHUNK;
}

/* Writes order: by colour, the light columns first, then by number. firsts: (2 n_colours + 1,) takes where
 * the light and the heavy columns of each colour begin. */
static void sort_columns(column_plan *plan, const int32_t *colour_of, int64_t *firsts)
{
    const int64_t n = 2 * plan->n_colours;
    for (int64_t j = 0; j < plan->n_columns; j++)
        if (colour_of[j] >= 0)
            firsts[2 * colour_of[j] + is_heavy(plan, j) + 1]++;
    for (int64_t c = 0; c < n; c++)
        firsts[c + 1] += firsts[c];
    for (int64_t j = 0; j < plan->n_columns; j++)
        if (colour_of[j] >= 0)
            plan->order[firsts[2 * colour_of[j] + is_heavy(plan, j)]++] = (int32_t)j;
    memmove(firsts + 1, firsts, (size_t)n * sizeof(int64_t));
    firsts[0] = 0;
}

/* Cuts light columns, places [begin, end) of order, into tasks. */
static void cut_tasks(column_plan *plan, column_colour *colour, int64_t begin, int64_t end)
{
    int64_t cost = TASK_VALUES;
    for (int64_t i = begin; i < end; i++) {
        if (cost >= TASK_VALUES) {
            plan->tasks[plan->n_tasks++] = (plan_range){i, i};
            cost = 0;
        }
        const int64_t own = column_values(plan, plan->order[i]) + TASK_COLUMN_VALUES;
        cost += own;
        colour->cost += own;
        plan->tasks[plan->n_tasks - 1].end = i + 1;
    }
}

/* Cuts heavy columns, places [begin, end) of order, into chunks. */
static void cut_heavy(column_plan *plan, column_colour *colour, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        const int64_t column = plan->order[i], last = plan->begins[column + 1];
        heavy_column *heavy = plan->heavy + plan->n_heavy;
        *heavy = (heavy_column){column, plan->n_chunks, plan->n_chunks};
        for (int64_t p = plan->begins[column]; p < last; p += COLUMN_CHUNK)
            plan->chunks[plan->n_chunks++] =
                (heavy_chunk){p, min_i64(p + COLUMN_CHUNK, last), plan->n_heavy};
        heavy->end_chunk = plan->n_chunks;
        colour->cost += column_values(plan, column) + TASK_COLUMN_VALUES;
        plan->n_heavy++;
    }
}

/* Allocates what plan_tasks fills. A task has at least TASK_VALUES values, except the last of a colour. */
static fastfm_status allocate_tasks(column_plan *plan)
{
    const int64_t n = plan->n_columns;
    const int64_t cost = plan->nnz + TASK_COLUMN_VALUES * n;
    const int64_t most_chunks =
        2 * (plan->nnz / COLUMN_CHUNK) + 1; /* at most one in two is short */
    plan->order = (int32_t *)malloc(sizeof(int32_t) * (size_t)(n + 1));
    plan->colours = (column_colour *)calloc((size_t)plan->n_colours + 1, sizeof(column_colour));
    plan->tasks = (plan_range *)malloc(sizeof(plan_range) *
                                       (size_t)(cost / TASK_VALUES + plan->n_colours + 1));
    plan->heavy =
        (heavy_column *)malloc(sizeof(heavy_column) * (size_t)(plan->nnz / COLUMN_CHUNK + 1));
    plan->chunks = (heavy_chunk *)malloc(sizeof(heavy_chunk) * (size_t)most_chunks);
    return plan->order && plan->colours && plan->tasks && plan->heavy && plan->chunks
               ? FASTFM_OK
               : FASTFM_NO_MEMORY;
}

fastfm_status plan_tasks(column_plan *plan, const int32_t *colour_of)
{
    int64_t *firsts = (int64_t *)calloc(2 * (size_t)plan->n_colours + 2, sizeof(int64_t));
    if (!firsts || allocate_tasks(plan) != FASTFM_OK) {
        free(firsts);
        return FASTFM_NO_MEMORY;
    }
    sort_columns(plan, colour_of, firsts);
    for (int64_t c = 0; c < plan->n_colours; c++) {
        column_colour *colour = plan->colours + c;
        colour->tasks.first = plan->n_tasks;
        colour->heavy.first = plan->n_heavy;
        colour->chunks.first = plan->n_chunks;
        cut_tasks(plan, colour, firsts[2 * c], firsts[2 * c + 1]);
        cut_heavy(plan, colour, firsts[2 * c + 1], firsts[2 * c + 2]);
        colour->tasks.end = plan->n_tasks;
        colour->heavy.end = plan->n_heavy;
        colour->chunks.end = plan->n_chunks;
        colour->is_small = colour->cost < SMALL_COLOUR && plan->n_heavy == colour->heavy.first;
    }
    free(firsts);
    return FASTFM_OK;
}
