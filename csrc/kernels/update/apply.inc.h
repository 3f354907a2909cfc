/* update_slots: changes the parameters of features. */

/* One over the scale of a feature, which grows with its largest value; the state then changes its
 * unit. */
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

/* The state of a feature that is to be updated, and its parameters in an FFM; those of an FM are on their
 * way since fm_find_slots. */
FORCE_INLINE void NAME(prefetch_state)(const batch_data *B, int64_t feature)
{
    const fastfm_solver *solver = B->solver;
    const int64_t C = B->model->n_outputs;
    const int64_t row_bytes = factors_of_feature(B->model) * (int64_t)sizeof(REAL);
    const int64_t w_bytes = C * (int64_t)sizeof(REAL);
    const int is_ffm = B->model->fields != NULL; /* whose rows go into L2 */
    if (solver->scale)
        prefetch_row(solver->scale, feature, sizeof(REAL), sizeof(REAL), 0, is_ffm);
    if (is_ffm) {
        prefetch_row(B->target.V, feature, row_bytes, row_bytes, 1, 1);
        prefetch_row(B->target.w, feature, w_bytes, w_bytes, C > 1, 1);
    }
    for (int s = 0; s < 2 && solver->state[s].V; s++) {
        prefetch_row(solver->state[s].V, feature, row_bytes, row_bytes, 1, is_ffm);
        prefetch_row(solver->state[s].w, feature, w_bytes, w_bytes, C > 1, is_ffm);
    }
}

/* Of as many of n slots as update_slots is ahead with. */
FORCE_INLINE void NAME(prefetch_states)(const batch_data *B, const gradient_sums *sums,
                                        const int32_t *slots, int64_t n)
{
    for (int64_t at = 0; at < min_i64(n, UPDATE_WIDTH); at++)
        NAME(prefetch_state)(B, sums->records[slots[at]].feature);
}

/* w of n slots as one vector; the last of them fills it up. */
static int NAME(update_w)(const batch_data *B, const gradient_sums *sums, const NAME(rule) * rule,
                          const int32_t *slots, int64_t n, const double *inverse)
{
    const fastfm_solver *solver = B->solver;
    const int64_t C = B->model->n_outputs;
    REAL *w = (REAL *)B->target.w;
    REAL *state0 = (REAL *)solver->state[0].w, *state1 = (REAL *)solver->state[1].w;
    NAME(update_terms) each;
    int finite = 1;
    for (int64_t i = 0; i < UPDATE_WIDTH; i++) {
        const int64_t from = min_i64(i, n - 1);
        const int64_t rows = sums->records[slots[from]].n_rows;
        each.l2[i] = (REAL)(solver->l2_linear * penalised_rows(solver, rows));
        each.inverse[i] = (REAL)inverse[from];
        each.rate[i] = (REAL)(solver->learning_rate * inverse[from]);
        each.state0[i] = each.state1[i] = 1;
    }
    for (int64_t c = 0; c < C; c++) {
        for (int64_t i = 0; i < UPDATE_WIDTH; i++) {
            const int64_t slot = slots[min_i64(i, n - 1)], at = sums->records[slot].feature * C + c;
            each.g[i] = ((const REAL *)sums->grad_w)[slot * C + c];
            each.p[i] = w[at];
            if (state0)
                each.state0[i] = state0[at];
            if (state1)
                each.state1[i] = state1[at];
        }
        finite &= NAME(update_each)(solver, rule, &each);
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = sums->records[slots[i]].feature * C + c;
            w[at] = each.p[i];
            if (state0)
                state0[at] = each.state0[i];
            if (state1)
                state1[at] = each.state1[i];
        }
    }
    return finite;
}

/* n of the parameters V from `first` on, which `rows` rows penalise. */
static int NAME(update_V)(const batch_data *B, NAME(rule) * rule, int64_t rows, double inverse,
                          int64_t first, int64_t n, const REAL *gradients)
{
    const fastfm_solver *solver = B->solver;
    REAL *state0 = (REAL *)solver->state[0].V, *state1 = (REAL *)solver->state[1].V;
    NAME(set_terms)(rule, solver, solver->l2_factors * penalised_rows(solver, rows), inverse);
    return NAME(update_run)(solver, rule, n, (REAL *)B->target.V + first,
                            state0 ? state0 + first : NULL, state1 ? state1 + first : NULL,
                            gradients);
}

/* Fields that are touched equally often, one after the other, are updated as one. */
static int NAME(ffm_update)(const batch_data *B, const gradient_sums *sums, NAME(rule) * rule,
                            int64_t slot, int64_t c, double inverse)
{
    const fastfm_model *ffm = B->model;
    const int64_t k = ffm->n_factors, F = ffm->n_fields, C = ffm->n_outputs;
    const int64_t j = sums->records[slot].feature * C + c;
    const int32_t *partial = sums->field_counts + slot * F;
    const REAL *gradients = (const REAL *)sums->grad_V + slot * sums->grad_stride + c * F * k;
    const int is_partial = sums->n_partial[slot] > 0;
    const int64_t whole = sums->records[slot].n_rows - sums->n_partial[slot];
    int finite = 1;
    for (int64_t b = 0, end; b < F; b = end) {
        const int64_t rows = whole + (is_partial ? partial[b] : 0);
        for (end = is_partial ? b + 1 : F; end < F && partial[end] == partial[b];)
            end++;
        if (rows > 0)
            finite &= NAME(update_V)(B, rule, rows, inverse, (j * F + b) * k, (end - b) * k,
                                     gradients + b * k);
    }
    return finite;
}

static int NAME(update_slots)(const batch_data *B, const gradient_sums *sums, const int32_t *slots,
                              int64_t n_slots)
{
    const fastfm_model *model = B->model;
    const fastfm_solver *solver = B->solver;
    const int64_t C = model->n_outputs;
    const int64_t block = factors_of_feature(model);
    const NAME(rule) linear = NAME(rule_of)(solver, solver->l1_linear);
    NAME(rule) factors = NAME(rule_of)(solver, solver->l1_factors);
    double inverse[UPDATE_WIDTH];
    int finite = 1;
    for (int64_t first = 0; first < n_slots; first += UPDATE_WIDTH) {
        const int64_t n = min_i64(UPDATE_WIDTH, n_slots - first);
        for (int64_t i = 0; i < n; i++) {
            const int64_t slot = slots[first + i];
            inverse[i] = solver->scale
                             ? NAME(inverse_scale)(B, sums->records[slot].feature,
                                                   (REAL)sums->records[slot].largest, block)
                             : 1;
        }
        finite &= NAME(update_w)(B, sums, &linear, slots + first, n, inverse);
        for (int64_t i = 0; i < n; i++) {
            const int64_t slot = slots[first + i];
            if (first + i + UPDATE_WIDTH < n_slots)
                NAME(prefetch_state)(B, sums->records[slots[first + i + UPDATE_WIDTH]].feature);
            if (!model->fields)
                finite &= NAME(update_V)(B, &factors, sums->records[slot].n_rows, inverse[i],
                                         sums->records[slot].feature * block, block,
                                         (const REAL *)sums->grad_V + slot * sums->grad_stride);
            for (int64_t c = 0; model->fields && c < C; c++)
                finite &= NAME(ffm_update)(B, sums, &factors, slot, c, inverse[i]);
        }
    }
    return finite;
}
