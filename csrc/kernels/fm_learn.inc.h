/* fm_learn: over the rows of a batch, in row order, for the features of one part
 *
 *     dw_j = sum g x_j,     dv_jf = sum g x_j (s_f - v_jf x_j)
 *
 * and then their update. */
#define PANEL_WIDTH 16
#define PANEL_VECTORS 4
#include "fm_learn_panel.inc.h"
#define PANEL_WIDTH 16
#define PANEL_VECTORS 2
#include "fm_learn_panel.inc.h"
#define PANEL_WIDTH 16
#define PANEL_VECTORS 1
#include "fm_learn_panel.inc.h"
#define PANEL_WIDTH 8
#define PANEL_VECTORS 1
#include "fm_learn_panel.inc.h"
#define PANEL_WIDTH 4
#define PANEL_VECTORS 1
#include "fm_learn_panel.inc.h"
#define PANEL_WIDTH 1
#define PANEL_VECTORS 1
#include "fm_learn_panel.inc.h"

static void NAME(fm_sum_gradients)(const batch_data *B, int64_t part, const learn_scratch *scratch)
{
    const DATA *data = (const DATA *)B->X.data;
    const fastfm_model *fm = B->model;
    const int64_t k = fm->n_factors, C = fm->n_outputs, n = fm->n_features;
    const int32_t *slot_of = scratch->slot_of;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = B->entries[e].feature, row = B->entries[e].row;
            const REAL x = (REAL)data[B->entries[e].position];
            const int64_t slot = *slot_of++;
            for (int64_t c = 0; c < C; c++) {
                const REAL g = ((const REAL *)B->dscores)[row * C + c];
                const REAL *s = (const REAL *)B->sums + (row * C + c) * k;
                const REAL *v = (const REAL *)fm->V + (c * n + feature) * k;
                REAL *grad_v = (REAL *)scratch->grad_V + (slot * C + c) * k;
                int64_t f = 0;
                ((REAL *)scratch->grad_w)[slot * C + c] += g * x;
#define PANEL(panel, width) NAME(panel)(x, g * x, s + f, v + f, grad_v + f), f += width
                FM_PANELS(k, f, fm_learn_panel)
#undef PANEL
            }
        }
    }
}

static int NAME(fm_learn)(const batch_data *B, int64_t part, const learn_scratch *scratch)
{
    const fastfm_model *fm = B->model;
    const fastfm_solver *solver = B->solver;
    const int64_t k = fm->n_factors, C = fm->n_outputs, n = fm->n_features;
    const int64_t n_slots = NAME(find_slots)(B, part, scratch);
    const update_kernel update = UPDATE;
    int finite = 1;
    for (int64_t i = 0; i < n_slots * C; i++)
        ((REAL *)scratch->grad_w)[i] = 0;
    for (int64_t i = 0; i < n_slots * C * k; i++)
        ((REAL *)scratch->grad_V)[i] = 0;
    NAME(fm_sum_gradients)(B, part, scratch);
    for (int64_t slot = 0; slot < n_slots; slot++) {
        const int64_t feature = scratch->features[slot];
        const double count = solver->rule == FASTFM_FTRL ? 1 : scratch->counts[slot];
        const double inverse =
            solver->scale
                ? NAME(inverse_scale)(B, feature, ((const REAL *)scratch->largest)[slot], k)
                : 1;
        const update_terms linear = {solver->l1_linear, solver->l2_linear * count, inverse};
        const update_terms factors = {solver->l1_factors, solver->l2_factors * count, inverse};
        NAME(prefetch_state)(B, scratch, slot + LEARN_DISTANCE, n_slots, k);
        for (int64_t c = 0; c < C; c++) {
            const int64_t j = c * n + feature;
            finite &= NAME(update_at)(B, update, &linear, 0, j, 1,
                                      (const REAL *)scratch->grad_w + slot * C + c);
            finite &= NAME(update_at)(B, update, &factors, 1, j * k, k,
                                      (const REAL *)scratch->grad_V + (slot * C + c) * k);
        }
    }
    return finite;
}
