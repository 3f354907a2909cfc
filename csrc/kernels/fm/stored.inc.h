/* Includes fm_score once for each way in which parameters are stored.
 *
 *   FM_SCORE              the kernel's name: fm_score, fm_score_half, fm_score_byte
 *   IS_SMALL              0 for REAL, else 1
 *   STORED, STORED_W      the types of the numbers of V and w
 *   SCALE_OF(fm, j)       what the numbers of feature j are multiplied by
 *   LOAD(p, scale)        a vector of V from p; scale: a vector that holds SCALE_OF in all lanes
 *   LOAD_W(p)             a number of w
 *
 * The small ones become the float32 numbers that they stand for, and then go the way of all others: so
 * the bits are those of the model with these numbers. Template parameters: instantiate.inc.h. */
#define FM_SCORE fm_score
#define IS_SMALL 0
#define STORED REAL
#define STORED_W REAL
#define SCALE_OF(fm, j) ((REAL)1)
#define LOAD(p, scale) OP(_load)(p)
#define LOAD_W(p) (*(p))
#include "kernels/fm/score.inc.h"

#ifdef HAS_SMALL
#define FM_SCORE fm_score_half
#define IS_SMALL 1
#define STORED uint16_t
#define STORED_W uint16_t
#define SCALE_OF(fm, j) ((REAL)1)
#define LOAD(p, scale) OP(_load_half)(p)
#define LOAD_W(p) f32x1_load_half(p)
#include "kernels/fm/score.inc.h"

#define FM_SCORE fm_score_byte
#define IS_SMALL 1
#define STORED int8_t
#define STORED_W REAL
#define SCALE_OF(fm, j) scale_of_feature(fm, j)
#define LOAD(p, scale) OP(_mul)(OP(_load_byte)(p), scale)
#define LOAD_W(p) (*(p))
#include "kernels/fm/score.inc.h"
#endif
