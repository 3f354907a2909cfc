/* The kernel table in use. */
#ifndef FASTFM_DISPATCH_H
#define FASTFM_DISPATCH_H

#include "kernels/table.h"

const kernel_table *kernels(void);

FORCE_INLINE score_kernel score_kernel_of(const fastfm_model *model, const fastfm_csr *X)
{
    return model->fields ? KERNEL_OF(kernels()->ffm_score, model, X)
                         : KERNEL_OF(kernels()->fm_score, model, X);
}

#endif
