/* step: what update needs to know to change the parameters of one feature. */

/* One over the scale of a feature, which grows with its largest value; the state then changes its
 * unit. FTRL has no scale. */
static double NAME(inverse_scale)(const batch_data *B, int64_t feature, REAL largest, int64_t block)
{
    const fastfm_model *model = B->model;
    const fastfm_solver *solver = B->solver;
    REAL *scale = (REAL *)solver->scale + feature;
    const REAL ratio = *scale / largest;
    for (int s = 0; s < 2 && largest > *scale && solver->state[s].w; s++) {
        /* Adam's mean of gradients is no square. */
        const REAL factor = solver->rule == FASTFM_ADAM && s == 0 ? ratio : ratio * ratio;
        const REAL start = solver->rule == FASTFM_ADAGRAD ? (REAL)solver->initial : 0;
        REAL *of_w = (REAL *)solver->state[s].w + feature * model->n_outputs;
        REAL *of_V = (REAL *)solver->state[s].V + feature * block;
        for (int64_t c = 0; c < model->n_outputs; c++)
            of_w[c] = start + (of_w[c] - start) * factor;
        for (int64_t f = 0; f < block; f++)
            of_V[f] = start + (of_V[f] - start) * factor;
    }
    if (largest > *scale)
        *scale = largest;
    return 1 / (double)*scale;
}

/* One update of n parameters from `first` on, of all w (is_V = 0) or V. */
static int NAME(update_at)(const batch_data *B, const update_terms *terms, int is_V, int64_t first,
                           int64_t n, const REAL *gradients)
{
    const fastfm_state *state = B->solver->state;
    REAL *parameters = (REAL *)(is_V ? B->model->V : B->model->w) + first;
    REAL *state0 = (REAL *)(is_V ? state[0].V : state[0].w);
    REAL *state1 = (REAL *)(is_V ? state[1].V : state[1].w);
    return NAME(update)(B->solver, terms, n, parameters, state0 ? state0 + first : NULL,
                        state1 ? state1 + first : NULL, gradients);
}

/* The state of the feature of a slot to come. */
FORCE_INLINE void NAME(prefetch_state)(const batch_data *B, const learn_scratch *scratch,
                                       int64_t slot, int64_t n_slots, int64_t block)
{
    const fastfm_solver *solver = B->solver;
    const int64_t C = B->model->n_outputs;
    const int64_t row_bytes = block * (int64_t)sizeof(REAL), w_bytes = C * (int64_t)sizeof(REAL);
    const int into_L2 = B->model->fields && ffm_prefetches_into_L2;
    if (slot >= n_slots)
        return;
    if (solver->scale)
        prefetch_row(solver->scale, scratch->features[slot], sizeof(REAL), sizeof(REAL), 0,
                     into_L2);
    for (int s = 0; s < 2 && solver->state[s].V; s++) {
        prefetch_row(solver->state[s].V, scratch->features[slot], row_bytes, row_bytes, 1, into_L2);
        prefetch_row(solver->state[s].w, scratch->features[slot], w_bytes, w_bytes, C > 1, into_L2);
    }
}

/* Fields that are touched equally often, one after the other, are updated as one. */
static int NAME(ffm_update)(const batch_data *B, const learn_scratch *scratch, int64_t slot,
                            int64_t c, double inverse)
{
    const fastfm_model *ffm = B->model;
    const fastfm_solver *solver = B->solver;
    const int64_t k = ffm->n_factors, F = ffm->n_fields, C = ffm->n_outputs;
    const int64_t j = scratch->features[slot] * C + c;
    const int32_t *changes = scratch->field_counts + slot * (F + 1);
    const REAL *gradients = (const REAL *)scratch->gradient_of[slot] + c * F * k;
    int finite = 1;
    for (int64_t b = 0, end, count = 0; b < F; b = end) {
        count += changes[b];
        const update_terms terms = {solver->l1_factors,
                                    solver->l2_factors * penalised_rows(solver, count), inverse,
                                    (double)((const REAL *)scratch->times)[slot * C + c]};
        for (end = b + 1; end < F && changes[end] == 0;)
            end++;
        if (count > 0)
            finite &=
                NAME(update_at)(B, &terms, 1, (j * F + b) * k, (end - b) * k, gradients + b * k);
    }
    return finite;
}
