/* Every kernel for one combination of REAL, DATA and INDEX. Template parameters:
 * instantiate.inc.h. */
#include "kernels/fm/stored.inc.h"
#include "kernels/fm/gradient.inc.h"
#include "kernels/ffm/load.inc.h"
#include "kernels/ffm/score.inc.h"
#ifdef HAS_SMALL
#include "kernels/ffm/score_small.inc.h"
#endif
#include "kernels/fm/partition.inc.h"
#include "kernels/fm/batch_gradient.inc.h"
#include "kernels/fm/share.inc.h"
#include "kernels/ffm/partition.inc.h"
#include "kernels/recommend/reduce.inc.h"
#include "kernels/columns/row_sums.inc.h"
#undef VARIANT
#undef INDEX
