/* learn: sums the gradients of a batch for the features of one part, and updates each once. */
static int NAME(learn)(const batch_data *B, int64_t part, const learn_scratch *scratch)
{
    const fastfm_model *model = B->model;
    const fastfm_solver *solver = B->solver;
    const int64_t C = model->n_outputs;
    const int64_t block = C * model->n_factors * (model->fields ? model->n_fields : 1);
    const int64_t distance = model->fields ? FFM_LEARN_DISTANCE : LEARN_DISTANCE;
    const int64_t n_slots = NAME(find_slots)(B, part, scratch);
    int finite = 1;
    for (int64_t i = 0; i < n_slots * C; i++)
        ((REAL *)scratch->grad_w)[i] = 0;
    if (model->fields)
        NAME(ffm_sum_gradients)(B, part, n_slots, scratch);
    else
        NAME(fm_sum_gradients)(B, part, n_slots, scratch);
    for (int64_t slot = 0; slot < n_slots; slot++) {
        const int64_t feature = scratch->features[slot];
        const double rows = penalised_rows(solver, scratch->counts[slot]);
        const double inverse =
            solver->scale
                ? OF_REAL(inverse_scale)(B, feature, ((const REAL *)scratch->largest)[slot], block)
                : 1;
        const update_terms linear = {solver->l1_linear, solver->l2_linear * rows, inverse, 1};
        const update_terms factors = {solver->l1_factors, solver->l2_factors * rows, inverse, 1};
        OF_REAL(prefetch_state)(B, scratch, slot + distance, n_slots, block);
        finite &= OF_REAL(update_at)(B, &linear, 0, feature * C, C,
                                     (const REAL *)scratch->grad_w + slot * C);
        if (!model->fields)
            finite &= OF_REAL(update_at)(B, &factors, 1, feature * block, block,
                                         (const REAL *)scratch->grad_V + slot * block);
        for (int64_t c = 0; model->fields && c < C; c++)
            finite &= OF_REAL(ffm_update)(B, scratch, slot, c, inverse);
    }
    return finite;
}
