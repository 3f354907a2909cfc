/* Rows as sums: what the drivers of recommending share. Words: fastfm_recommend.h. */
#ifndef FASTFM_REDUCE_H
#define FASTFM_REDUCE_H

#include "kernels/dispatch.h"

/* How the rows of contexts or of candidates become sums. */
reduction reduction_of(const fastfm_candidates *candidates, int is_context);

/* The fields of the model; 1 for an FM. */
FORCE_INLINE int64_t fields_of(const fastfm_model *model)
{
    return model->fields ? model->n_fields : 1;
}

/* The constant of a context whose pairs do not count: w0 and its linear part. */
void add_bias(const fastfm_model *model, void *linear, int64_t n);

#endif
