/* The order of the phases of a sweep (columns.h). next_sweep_phase is called by one thread, when all blocks
 * of the last phase are done. */
#include "solvers/columns.h"

#include <math.h>

/* What a phase costs, in multiply-adds. */
static double cost_of(const fastfm_columns *columns)
{
    const double width = (double)columns->view.width;
    double cost = 0;
    switch (columns->stage) {
    case SCORING:
    case ROW_SUMS:
        return (double)columns->plan.nnz * width;
    case GATHERING:
        return (double)columns->plan.n_rows * width * width;
    case VISITING:
        for (int64_t c = columns->colour; c < columns->end_colour; c++)
            cost += (double)visited_plan(columns)->colours[c].cost * width * width;
        return cost;
    case APPLYING:
        return (double)visited_plan(columns)->colours[columns->colour].cost * width;
    default:
        return (double)columns->plan.n_rows;
    }
}

/* The minimum over w0, from the sum of derivatives; or a sample. */
static void solve_w0(fastfm_columns *columns)
{
    column_view *view = &columns->view;
    const double before = view->w0;
    const double weight_sum = columns->plan.weight_sum;
    const random_place place = place_of_column(view, STREAM_W0, 0);
    double step = -columns->slope_sum / (view->samples ? weight_sum : view->alpha * weight_sum);
    if (view->samples)
        step += random_normal(&place) / sqrt(view->alpha * weight_sum);
    set_real(columns->w0, view->real, 0, before + step);
    view->w0 = real_at(columns->w0, view->real, 0);
    columns->w0_step = view->w0 - before;
}

/* Adds the totals of chunks, in order. */
static void end_adding(fastfm_columns *columns)
{
    columns->loss_sum = columns->slope_sum = 0;
    for (int64_t block = 0; block < columns->n_totals; block++) {
        columns->loss_sum += columns->row_totals[2 * block];
        columns->slope_sum += columns->row_totals[2 * block + 1];
    }
}

/* Goes to the colours that are visited next: one, or all small ones up to the next that is not. Returns 0
 * if there are no more in this block of factors. */
static int next_colours(fastfm_columns *columns)
{
    const column_plan *plan = visited_plan(columns);
    columns->colour = columns->end_colour;
    if (columns->colour == plan->n_colours)
        return 0;
    columns->end_colour = columns->colour + 1;
    while (plan->colours[columns->colour].is_small && columns->end_colour < plan->n_colours &&
           plan->colours[columns->end_colour].is_small)
        columns->end_colour++;
    columns->view.keeps_sums = columns->plan.n_relations > 0 ||
                               columns->end_colour < plan->n_colours ||
                               columns->end_colour > columns->colour + 1;
    columns->stage = VISITING;
    return 1;
}

/* Goes to the block of factors from `first` on, or to what follows the last. */
static void begin_block(fastfm_columns *columns, int64_t first)
{
    column_view *view = &columns->view;
    if (first == view->stride) {
        columns->stage = ABSENT;
        return;
    }
    view->first = first;
    view->width = view->stride - first >= 16 ? 16 : 8;
    columns->colour = columns->end_colour = 0;
    columns->relation = columns->plan.n_relations;
    columns->stage = columns->plan.n_relations > 0 ? SHARED_SUMS : ROW_SUMS;
    if (columns->plan.is_pair)
        next_colours(columns);
}

/* Goes to the columns of a relation, or, if there are no more, to the next block of factors. */
static void begin_relation(fastfm_columns *columns, int64_t number)
{
    const column_relation *relation = columns->plan.relations + number;
    const column_plan *plan;
    column_view *view = &columns->shared_view;
    if (number == columns->plan.n_relations) {
        begin_block(columns, columns->view.first + columns->view.width);
        return;
    }
    plan = relation->plan;
    *view = columns->view;
    view->begins = plan->begins;
    view->rows = plan->rows;
    view->values = plan->values;
    view->nnz = plan->nnz;
    view->weights = NULL;
    view->sums = relation->q;
    view->shared = relation->records;
    columns->relation = number;
    columns->colour = columns->end_colour = 0;
    columns->stage = GATHERING;
}

/* After the last colour of what is visited. */
static void end_colours(fastfm_columns *columns)
{
    if (columns->relation < columns->plan.n_relations)
        columns->stage = SPREADING;
    else
        begin_relation(columns, 0);
}

void begin_sweep(fastfm_columns *columns)
{
    columns->has_sweep = 0;
    columns->n_sweeps++;
    solve_w0(columns);
    begin_block(columns, 0);
}

/* After the blocks of a stage: the next one. */
static void move_on(fastfm_columns *columns)
{
    const column_colour *colour = visited_plan(columns)->colours + columns->colour;
    int ends_colour = 1;
    switch (columns->stage) {
    case SCORING:
        columns->n_sweeps = 0;
        columns->stage = ADDING;
        return;
    case ADDING:
        end_adding(columns);
        columns->stage = columns->view.samples ? HYPER : AT_END;
        if (columns->has_sweep && !columns->view.samples)
            begin_sweep(columns);
        return;
    case HYPER:
        draw_hyperparameters(columns);
        begin_sweep(columns);
        return;
    case ABSENT:
        columns->stage = columns->view.samples ? AT_END : ADDING;
        return;
    case SHARED_SUMS:
        columns->stage = ROW_SUMS;
        return;
    case SPREADING:
        begin_relation(columns, columns->relation + 1);
        return;
    case VISITING:
        ends_colour = colour->heavy.end == colour->heavy.first;
        columns->stage = SOLVING;
        break;
    case SOLVING:
        ends_colour = columns->plan.is_pair;
        columns->stage = APPLYING;
        break;
    default: /* ROW_SUMS, GATHERING or APPLYING */
        columns->w0_step = 0;
        break;
    }
    if (ends_colour && !next_colours(columns))
        end_colours(columns);
}

/* The body of a stage, and its blocks. */
static parallel_block body_of(const fastfm_columns *columns, int64_t *n_blocks)
{
    const column_plan *plan = &columns->plan;
    const column_colour *colour = visited_plan(columns)->colours + columns->colour;
    *n_blocks = blocks_of(plan->n_rows, ROW_CHUNK);
    switch (columns->stage) {
    case SCORING:
        return sweep_score_rows;
    case ADDING:
        *n_blocks = columns->n_totals;
        return plan->is_pair ? sweep_add_pairs : sweep_add_rows;
    case HYPER:
        *n_blocks = columns->n_group_chunks;
        return sweep_group_sums;
    case SHARED_SUMS:
        *n_blocks = 0;
        for (int64_t r = 0; r < plan->n_relations; r++)
            *n_blocks += blocks_of(plan->relations[r].n_shared, ROW_CHUNK);
        return sweep_shared_sums;
    case GATHERING:
    case SPREADING:
        *n_blocks = blocks_of(plan->relations[columns->relation].n_shared, SHARED_CHUNK);
        return columns->stage == GATHERING ? sweep_gather : sweep_spread;
    case ROW_SUMS:
        return sweep_row_sums;
    case VISITING:
        *n_blocks = colour->is_small ? 1 : visit_blocks(colour);
        return colour->is_small ? sweep_visit_small : sweep_visit;
    case SOLVING:
        *n_blocks = colour->heavy.end - colour->heavy.first;
        return sweep_solve;
    case APPLYING:
        *n_blocks = colour->chunks.end - colour->chunks.first;
        return sweep_apply;
    default:
        *n_blocks = blocks_of(plan->n_columns, ROW_CHUNK);
        return sweep_absent;
    }
}

int next_sweep_phase(void *context, parallel_block *body, int64_t *n_blocks)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    for (;;) {
        if (columns->has_phase)
            move_on(columns);
        columns->has_phase = 0;
        if (columns->stage == AT_END || columns->work <= 0)
            return 0;
        columns->work -= cost_of(columns);
        columns->has_phase = 1;
        *body = body_of(columns, n_blocks);
        if (*n_blocks > 0)
            return 1;
    }
}
