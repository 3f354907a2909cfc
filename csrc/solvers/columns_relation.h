/* Relations: columns that are learned by their shared rows (kernels/columns/view.h). */
#ifndef FASTFM_COLUMNS_RELATION_H
#define FASTFM_COLUMNS_RELATION_H

#include "solvers/columns_plan.h"

struct column_relation {
    int64_t n_shared;
    fastfm_csr X;        /* (n_shared, n_columns) the shared rows */
    int32_t *shared_of;  /* (n_rows,) the shared row of a row of the plan */
    int32_t *row_order;  /* (n_rows,) the rows by their shared rows */
    int64_t *row_begins; /* (n_shared + 1,) where those of each begin */
    column_plan *plan;   /* of the shared rows */
    void *q,
        *records; /* (n_shared, width), (n_shared, SHARED_SIZE(width)) real; of fastfm_columns */
};

/* Finds relations of a plan of all columns, whose colours are known; sets relations, and, where there are
 * some, relation_of and own. OK or NO_MEMORY. */
fastfm_status plan_relations(column_plan *plan, const fastfm_csr *X, const int32_t *colour_of);
void plan_relations_close(column_plan *plan);

#endif
