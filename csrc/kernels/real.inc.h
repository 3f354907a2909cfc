/* What depends on REAL alone; OF_REAL names it in what depends on more. */
#include "kernels/ffm/row.inc.h"
#define LANES 16
#include "kernels/ffm/lanes.inc.h"
#define LANES 8
#include "kernels/ffm/lanes.inc.h"
#define LANES 4
#include "kernels/ffm/lanes.inc.h"
#define LANES 1
#include "kernels/ffm/lanes.inc.h"
#include "kernels/ffm/tile4x4.inc.h"
#include "kernels/ffm/pairs.inc.h"
#define PANEL_FILE "kernels/fm/batch_gradient_block.inc.h"
#include "kernels/fm/factor_blocks.inc.h"
#include "kernels/update/rules.inc.h"
#include "kernels/update/apply.inc.h"
#include "kernels/ffm/batch_row.inc.h"
#include "kernels/ffm/reduce.inc.h"
#undef VARIANT
