/* Every kernel for one combination of REAL, DATA and INDEX. */
#include "fm_score.inc.h"
#include "fm_gradient.inc.h"
#include "ffm_load.inc.h"
#include "ffm_score.inc.h"
#include "ffm_gradient.inc.h"
#include "fm_partition.inc.h"
#include "fm_sums.inc.h"
#include "ffm_partition.inc.h"
#undef VARIANT
#undef INDEX
