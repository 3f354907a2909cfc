/* The visits of columns, for blocks of 16 and of 8 factors. Template parameters: those of
 * instantiate.inc.h, and BLOCK_WIDTH, BLOCK_VEC, OP and BLOCK_NAME of factor_blocks.inc.h. */
#define BLOCK_VECTORS 1
#define BLOCK_VEC VEC(BLOCK_WIDTH, )
#define OP(op) VEC(BLOCK_WIDTH, op)
#define BLOCK_NAME(f) NAME(FACTOR_BLOCK(f, BLOCK_WIDTH, BLOCK_VECTORS))

#include "kernels/columns/working.inc.h"
#include "kernels/columns/slopes.inc.h"
#define BLOCK_WIDTH 16
#include "kernels/columns/gram.inc.h"
#include "kernels/columns/sums.inc.h"
#include "kernels/columns/pair.inc.h"
#include "kernels/columns/relation.inc.h"
#include "kernels/columns/solve.inc.h"
#include "kernels/columns/apply.inc.h"
#include "kernels/columns/few_rows.inc.h"
#include "kernels/columns/visit.inc.h"
#undef BLOCK_WIDTH
#define BLOCK_WIDTH 8
#include "kernels/columns/gram.inc.h"
#include "kernels/columns/sums.inc.h"
#include "kernels/columns/pair.inc.h"
#include "kernels/columns/relation.inc.h"
#include "kernels/columns/solve.inc.h"
#include "kernels/columns/apply.inc.h"
#include "kernels/columns/few_rows.inc.h"
#include "kernels/columns/visit.inc.h"
#undef BLOCK_WIDTH
#include "kernels/columns/dispatch.inc.h"

#undef BLOCK_NAME
#undef OP
#undef BLOCK_VEC
#undef BLOCK_VECTORS
