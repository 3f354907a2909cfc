/* Pair plans: each row is two values of 1, in columns of two colours, with a weight of 1. */
#include <stdlib.h>
#include <string.h>

#include "losses/loss.h"
#include "solvers/columns_plan.h"

/* The other column of a row of the plan, or -1 if the row does not have two values. */
static int64_t mate_of(const fastfm_csr *X, int64_t row, int64_t column)
{
    int64_t mate = -1, n = 0;
    const int64_t end = index_at(X->indptr, X->index_type, row + 1);
    for (int64_t p = index_at(X->indptr, X->index_type, row); p < end; p++)
        if ((float)real_at(X->data, X->data_type, p) != 0) { /* the plan has checked that it is 1 */
            const int64_t j = index_at(X->indices, X->index_type, p);
            mate = j != column ? j : mate;
            n++;
        }
    return n == 2 ? mate : -1;
}

/* Writes the mate and the target of each value; 0 if a row has no mate. */
static int find_mates(const column_plan *plan, const fastfm_csr *X, const fastfm_targets *targets,
                      int32_t *mates, void *y)
{
    for (int64_t j = 0; j < plan->n_columns; j++)
        for (int64_t p = plan->begins[j]; p < plan->begins[j + 1]; p++) {
            const int64_t row = row_in_X(plan, plan->rows[p]);
            const int64_t mate = mate_of(X, row, j);
            if (mate < 0)
                return 0;
            mates[p] = (int32_t)mate;
            set_real(y, plan->real, p, target_at(targets->y, targets->y_type, row));
        }
    return 1;
}

/* A row of a plan of two colours has at most two values, because a colour has one at most. So all rows
 * have two if there are twice as many values as rows. */
fastfm_status plan_pairs(column_plan *plan, const fastfm_csr *X, const fastfm_targets *targets)
{
    int32_t *mates;
    void *y;
    if (plan->n_colours != 2 || plan->values || plan->weights || plan->nnz != 2 * plan->n_rows)
        return FASTFM_OK;
    mates = (int32_t *)malloc(sizeof(int32_t) * (size_t)(plan->nnz + 1));
    y = malloc(real_size(plan->real) * (size_t)(plan->nnz + 1));
    if (!mates || !y) {
        free(mates);
        free(y);
        return FASTFM_NO_MEMORY;
    }
    plan->is_pair = find_mates(plan, X, targets, mates, y);
    if (!plan->is_pair) {
        free(mates);
        free(y);
        return FASTFM_OK;
    }
    free(plan->rows);
    plan->rows = mates;
    plan->targets = y;
    return FASTFM_OK;
}
