/* The kernel table in use. */
#ifndef FASTFM_DISPATCH_H
#define FASTFM_DISPATCH_H

#include "kernels/kernels.h"

const kernel_table *kernels(void);

#endif
