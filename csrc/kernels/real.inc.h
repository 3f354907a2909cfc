/* What depends on REAL alone; files that depend on DATA and INDEX, too, name it by OF_REAL.
 * Template parameters: instantiate.inc.h. */
#include "kernels/ffm/row.inc.h"
#define FACTOR_BLOCK_FILE "kernels/ffm/row_block.inc.h"
#include "kernels/factor_blocks.inc.h"
#include "kernels/ffm/tile4x4.inc.h"
#include "kernels/ffm/pairs.inc.h"
#define FACTOR_BLOCK_FILE "kernels/fm/batch_gradient_block.inc.h"
#define WIDE_BLOCKS
#include "kernels/factor_blocks.inc.h"
#ifdef HAS_SMALL
#include "kernels/widen.inc.h"
#endif
#include "kernels/update/rules.inc.h"
#include "kernels/update/rule_loops.inc.h"
#include "kernels/update/apply.inc.h"
#include "kernels/ffm/batch_row.inc.h"
#include "kernels/ffm/reduce.inc.h"
#include "kernels/recommend/tile.inc.h"
#define FACTOR_BLOCK_FILE "kernels/recommend/rank_block.inc.h"
#define WIDE_BLOCKS
#include "kernels/factor_blocks.inc.h"
#include "kernels/recommend/rank_sums.inc.h"
#include "kernels/recommend/rank_positives.inc.h"
#include "kernels/recommend/rank_gradient.inc.h"
#include "kernels/columns/widths.inc.h"
#undef VARIANT
