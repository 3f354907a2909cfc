/* What depends on REAL alone; OF_REAL names it in what depends on more. */
#include "ffm_row.inc.h"
#include "ffm_pairs.inc.h"
#include "ffm_add.inc.h"
#define PANEL_FILE "fm_sums_panel.inc.h"
#include "panels.inc.h"
#include "update.inc.h"
#include "step.inc.h"
#undef VARIANT
