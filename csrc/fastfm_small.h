/* How a model holds w and V; a part of fastfm.h. */
#ifndef FASTFM_SMALL_H
#define FASTFM_SMALL_H

#include <stdint.h>

/* AS_REAL: numbers of the model's type. The other two are for fastfm_score alone, with a type of F32: the
 * score is that of the float32 model with the numbers that they stand for, to the bit.
 *   HALF  w and V are IEEE binary16
 *   BYTE  V is int8 and stands for scale * V; w is float32 */
typedef enum { FASTFM_AS_REAL, FASTFM_HALF, FASTFM_BYTE } fastfm_storage;

typedef struct {
    fastfm_storage storage;
    /* BYTE: the scale of feature j is scale[scale_of[j]]; without scale_of it is scale[j * scale_step]. */
    const float *scale;
    const uint16_t *scale_of; /* (n_features,), or NULL */
    int64_t scale_step;       /* 0: one scale; 1: one for each feature */
} fastfm_small;

#endif
