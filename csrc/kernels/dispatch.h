/* The kernel table in use.
 *
 * A level is an instruction set: 0 the baseline, 1 AVX2, 2 AVX-512F. fastfm_use_level sets the
 * level for the whole process. It is called when the library is loaded, and by tests; nothing else
 * writes the globals of dispatch.c, and kernels that run at that time keep the table that they came
 * from. */
#ifndef FASTFM_DISPATCH_H
#define FASTFM_DISPATCH_H

#include "kernels/table.h"

/* Never NULL; the baseline's before fastfm_use_level has been called. */
const kernel_table *kernels(void);

/* The score kernel for a model, FM or FFM, and the types of X. */
FORCE_INLINE score_kernel score_kernel_of(const fastfm_model *model, const fastfm_csr *X)
{
    const int data = X->data_type == FASTFM_F64, index = X->index_type == FASTFM_I64;
    if (model->small.storage != FASTFM_AS_REAL)
        return model->fields                         ? kernels()->ffm_score_small[data][index]
               : model->small.storage == FASTFM_HALF ? kernels()->fm_score_half[data][index]
                                                     : kernels()->fm_score_byte[data][index];
    return model->fields ? KERNEL_OF(kernels()->ffm_score, model, X)
                         : KERNEL_OF(kernels()->fm_score, model, X);
}

#endif
