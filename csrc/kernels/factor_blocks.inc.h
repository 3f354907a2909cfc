/* Includes a block file once for each shape of a factor block (see sum_order.h).
 *
 * Set before including:
 *   FACTOR_BLOCK_FILE  the file, as a string; undefined afterwards
 *   WIDE_BLOCKS        if defined, the shapes of FOR_WIDE_FACTOR_BLOCKS, else of FOR_FACTOR_BLOCKS;
 *                      undefined afterwards
 * The file sees, beside the parameters of its instantiation (instantiate.inc.h):
 *   BLOCK_WIDTH, BLOCK_VECTORS  the shape
 *   BLOCK_VEC                   the vector type of BLOCK_WIDTH lanes of REAL
 *   OP(_add)                    an operation on it: _load _store _broadcast _zero _add _sub _mul
 *                               _sum
 *   BLOCK_NAME(f)               the name of a function f: f_<width>x<vectors>_<variant><level> */
#define BLOCK_VEC VEC(BLOCK_WIDTH, )
#define OP(op) VEC(BLOCK_WIDTH, op)
#define BLOCK_NAME(f) NAME(FACTOR_BLOCK(f, BLOCK_WIDTH, BLOCK_VECTORS))

#define BLOCK_WIDTH 16
#ifdef WIDE_BLOCKS
#define BLOCK_VECTORS 4
#include FACTOR_BLOCK_FILE
#undef BLOCK_VECTORS
#define BLOCK_VECTORS 2
#include FACTOR_BLOCK_FILE
#undef BLOCK_VECTORS
#undef WIDE_BLOCKS
#endif
#define BLOCK_VECTORS 1
#include FACTOR_BLOCK_FILE
#undef BLOCK_WIDTH
#define BLOCK_WIDTH 8
#include FACTOR_BLOCK_FILE
#undef BLOCK_WIDTH
#define BLOCK_WIDTH 4
#include FACTOR_BLOCK_FILE
#undef BLOCK_WIDTH
#define BLOCK_WIDTH 1
#include FACTOR_BLOCK_FILE
#undef BLOCK_WIDTH
#undef BLOCK_VECTORS

#undef BLOCK_NAME
#undef OP
#undef BLOCK_VEC
#undef FACTOR_BLOCK_FILE
