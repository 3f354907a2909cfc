/* What depends on REAL alone; OF_REAL names it in what depends on more. */
#include "ffm_row.inc.h"
#define LANES 16
#include "ffm_lanes.inc.h"
#define LANES 8
#include "ffm_lanes.inc.h"
#define LANES 4
#include "ffm_lanes.inc.h"
#define LANES 1
#include "ffm_lanes.inc.h"
#include "ffm_fours.inc.h"
#include "ffm_pairs.inc.h"
#define PANEL_FILE "fm_sums_panel.inc.h"
#include "panels.inc.h"
#include "update.inc.h"
#include "step.inc.h"
#include "ffm_learn.inc.h"
#include "ffm_sum_part.inc.h"
#undef VARIANT
