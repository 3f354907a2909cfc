/* Phases of relations (columns.h): what a thread does with one block of shared rows. */
#include "kernels/dispatch.h"
#include "solvers/columns.h"

#define KERNEL(name) (kernels()->name[columns->view.real == FASTFM_F64])

/* q of a chunk of the shared rows of one relation; the chunks of all relations are counted on. */
void sweep_shared_sums(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    const column_relation *relation = columns->plan.relations;
    column_view view = columns->view;
    int64_t begin;
    (void)thread;
    while (block >= blocks_of(relation->n_shared, ROW_CHUNK))
        block -= blocks_of((relation++)->n_shared, ROW_CHUNK);
    begin = block * ROW_CHUNK;
    view.sums = relation->q;
    kernels()->column_row_sums[view.real == FASTFM_F64][relation->X.data_type == FASTFM_F64]
                              [relation->X.index_type == FASTFM_I64](
                                  &relation->X, NULL, &view, begin,
                                  min_i64(begin + ROW_CHUNK, relation->n_shared));
}

/* Element b of an array of pieces of `size` numbers. */
static void *shared_at(const fastfm_columns *columns, void *array, int64_t b, int64_t size)
{
    return (char *)array + b * size * (int64_t)real_size(columns->view.real);
}

/* Visits the rows of each shared row of a block. */
static void visit_shared(fastfm_columns *columns, int64_t block, relation_kernel visit)
{
    const column_relation *relation = columns->plan.relations + columns->relation;
    const int64_t width = columns->view.width;
    const int64_t end = min_i64((block + 1) * SHARED_CHUNK, relation->n_shared);
    for (int64_t b = block * SHARED_CHUNK; b < end; b++) {
        const int64_t first = relation->row_begins[b], last = relation->row_begins[b + 1];
        visit(&columns->view, relation->row_order + first, last - first,
              shared_at(columns, relation->q, b, width),
              shared_at(columns, relation->records, b, SHARED_SIZE(width)));
    }
}

void sweep_gather(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    (void)thread;
    visit_shared(columns, block, KERNEL(relation_gather));
}

void sweep_spread(void *context, int64_t block, int thread)
{
    fastfm_columns *columns = (fastfm_columns *)context;
    (void)thread;
    visit_shared(columns, block, KERNEL(relation_spread));
}
