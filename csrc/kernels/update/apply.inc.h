/* update_features: changes the parameters of features whose gradients have been summed.
 *
 * For each accumulator a in to_update, with j its feature and u = 1 / scale[j] (or 1):
 *
 *     scale[j] = max(scale[j], largest |x_j| of the batch), unless the scale is fixed
 *     w[j]     by the solver's rule, with the gradient grad_w[a] and L2 l2_linear * rows of j
 *     V[j]     likewise, with grad_V[a] and l2_factors; in an FFM, V[j, b] with the rows that have
 * b
 *
 * The w of UPDATE_WIDTH features are gathered into one vector, because each is a single number; V
 * is updated in place, one feature after the other. Meanwhile the state of the features that come
 * UPDATE_WIDTH later is prefetched.
 *
 * Contract: each feature occurs at most once in to_update, and no other thread updates it now.
 * Template parameters: REAL, NAME (instantiate.inc.h). */

/* Converts n numbers of FTRL's z to a scale that is 1 / ratio times as large, before their sums of
 * squares are. The parameters p stay as they are. With u the scale, the weight beside lr of the
 * terms that draw towards former values of p, (beta + sqrt(n)) u^2, becomes larger; what is added
 * draws towards the present p. A z that would not stay finite is left as it is. */
static void NAME(rescale_z)(const fastfm_solver *solver, REAL *z, const REAL *sums, const REAL *p,
                            int64_t n, double old_scale, double ratio)
{
    for (int64_t i = 0; i < n; i++) {
        const double root = sqrt((double)sums[i]);
        const double old_weight = (solver->beta1 + root) * ratio;
        const double new_weight = (solver->beta1 + root * ratio) / ratio;
        const double added = (new_weight - old_weight) * old_scale / solver->learning_rate;
        const REAL next = (REAL)((double)z[i] * ratio - added * (double)p[i]);
        z[i] = next - next == 0 ? next : z[i];
    }
}

/* Raises the scale of a feature to `largest` if that is more and the scale is not fixed, and returns
 * one over the scale. State is in units of the scale, so it is converted to the new one. */
static double NAME(update_scale)(const batch_view *batch, int64_t feature, REAL largest)
{
    const fastfm_model *model = batch->model;
    const fastfm_solver *solver = batch->solver;
    const int64_t C = model->n_outputs, stride = feature_stride(model);
    REAL *scale = (REAL *)solver->scale + feature;
    const REAL ratio = *scale / largest;
    const int is_ftrl = solver->rule == FASTFM_FTRL;
    if (solver->scale_is_fixed || !(largest > *scale))
        return 1 / (double)*scale;
    if (is_ftrl) {
        const fastfm_state z = solver->state[0], sums = solver->state[1], p = batch->updated;
        NAME(rescale_z)(solver, (REAL *)z.w + feature * C, (const REAL *)sums.w + feature * C,
                        (const REAL *)p.w + feature * C, C, *scale, ratio);
        NAME(rescale_z)(solver, (REAL *)z.V + feature * stride,
                        (const REAL *)sums.V + feature * stride,
                        (const REAL *)p.V + feature * stride, stride, *scale, ratio);
    }
    /* A gradient is in units of 1 / scale, and a sum of squares in units of its square. */
    for (int s = is_ftrl; s < 2 && solver->state[s].w; s++) {
        const REAL factor = s == 0 && rule_degree(solver->rule) == 1 ? ratio : ratio * ratio;
        const REAL start = solver->rule == FASTFM_ADAGRAD ? (REAL)solver->initial_accumulator : 0;
        REAL *of_w = (REAL *)solver->state[s].w + feature * C;
        REAL *of_V = (REAL *)solver->state[s].V + feature * stride;
        for (int64_t c = 0; c < C; c++)
            of_w[c] = start + (of_w[c] - start) * factor;
        for (int64_t f = 0; f < stride; f++)
            of_V[f] = start + (of_V[f] - start) * factor;
    }
    *scale = largest;
    return 1 / (double)largest;
}

/* Prefetches scale and state of a feature that is to be updated, and for an FFM its parameters, all
 * into L2. The parameters of an FM are on their way since fm_assign_accumulators. */
FORCE_INLINE void NAME(prefetch_state)(const batch_view *batch, int64_t feature)
{
    const fastfm_solver *solver = batch->solver;
    const int64_t C = batch->model->n_outputs;
    const int64_t row_bytes = feature_stride(batch->model) * (int64_t)sizeof(REAL);
    const int64_t w_bytes = C * (int64_t)sizeof(REAL);
    const int is_ffm = batch->model->fields != NULL;
    if (solver->scale)
        prefetch_row(solver->scale, feature, sizeof(REAL), sizeof(REAL), 0, is_ffm);
    if (is_ffm) {
        prefetch_row(batch->updated.V, feature, row_bytes, row_bytes, 1, 1);
        prefetch_row(batch->updated.w, feature, w_bytes, w_bytes, C > 1, 1);
    }
    for (int s = 0; s < 2 && solver->state[s].V; s++) {
        prefetch_row(solver->state[s].V, feature, row_bytes, row_bytes, 1, is_ffm);
        prefetch_row(solver->state[s].w, feature, w_bytes, w_bytes, C > 1, is_ffm);
    }
}

/* The same for the first accumulators of to_update, which update_features cannot prefetch early
 * enough by itself. */
FORCE_INLINE void NAME(prefetch_states)(const batch_view *batch,
                                        const gradient_accumulators *accumulators,
                                        const int32_t *to_update, int64_t n)
{
    for (int64_t at = 0; at < min_i64(n, UPDATE_WIDTH); at++)
        NAME(prefetch_state)(batch, accumulators->features[to_update[at]].feature);
}

/* Updates w of n <= UPDATE_WIDTH features as one vector. The last of them fills up the lanes that
 * are left; what becomes of those is not written. */
static int NAME(update_w)(const batch_view *batch, const gradient_accumulators *accumulators,
                          const NAME(rule) * rule, const int32_t *to_update, int64_t n,
                          const double *inverse_scale)
{
    const fastfm_solver *solver = batch->solver;
    const feature_entry *features = accumulators->features;
    const int64_t C = batch->model->n_outputs;
    REAL *w = (REAL *)batch->updated.w;
    REAL *state0 = (REAL *)solver->state[0].w, *state1 = (REAL *)solver->state[1].w;
    NAME(gathered_parameters) gathered;
    int all_finite = 1;
    for (int64_t i = 0; i < UPDATE_WIDTH; i++) {
        const int64_t from = min_i64(i, n - 1);
        const int64_t rows = features[to_update[from]].n_rows;
        gathered.l2[i] = (REAL)l2_of_rows(solver, solver->l2_linear, rows, inverse_scale[from]);
        gathered.inverse_scale[i] = (REAL)inverse_scale[from];
        gathered.scaled_rate[i] = (REAL)(solver->learning_rate * inverse_scale[from]);
        gathered.state0[i] = gathered.state1[i] = 1;
    }
    /* For each output: gather, update, scatter. */
    for (int64_t c = 0; c < C; c++) {
        for (int64_t i = 0; i < UPDATE_WIDTH; i++) {
            const int64_t a = to_update[min_i64(i, n - 1)], at = features[a].feature * C + c;
            gathered.g[i] = ((const REAL *)accumulators->grad_w)[a * C + c];
            gathered.p[i] = w[at];
            if (state0)
                gathered.state0[i] = state0[at];
            if (state1)
                gathered.state1[i] = state1[at];
        }
        all_finite &= NAME(update_gathered)(solver, rule, &gathered);
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = features[to_update[i]].feature * C + c;
            w[at] = gathered.p[i];
            if (state0)
                state0[at] = gathered.state0[i];
            if (state1)
                state1[at] = gathered.state1[i];
        }
    }
    return all_finite;
}

/* Updates the n numbers of V from number `first` of V on, which share all terms, by n gradients.
 * rows: how many rows of the batch have them, and so add an L2 term. Changes the terms of *rule. */
static int NAME(update_V)(const batch_view *batch, NAME(rule) * rule, int64_t rows,
                          double inverse_scale, int64_t first, int64_t n, const REAL *gradients)
{
    const fastfm_solver *solver = batch->solver;
    REAL *state0 = (REAL *)solver->state[0].V, *state1 = (REAL *)solver->state[1].V;
    NAME(set_feature_terms)(
        rule, solver, l2_of_rows(solver, solver->l2_factors, rows, inverse_scale), inverse_scale);
    return NAME(update_span)(solver, rule, n, (REAL *)batch->updated.V + first,
                             state0 ? state0 + first : NULL, state1 ? state1 + first : NULL,
                             gradients);
}

/* Updates V[j, c] of an FFM by accumulator a. Neighbouring fields that equally many rows have are
 * updated as one span; a field that no row has is left alone. */
static int NAME(ffm_update_V)(const batch_view *batch, const gradient_accumulators *accumulators,
                              NAME(rule) * rule, int64_t a, int64_t c, double inverse_scale)
{
    const fastfm_model *ffm = batch->model;
    const int64_t k = ffm->n_factors, F = ffm->n_fields, C = ffm->n_outputs;
    const int64_t j = accumulators->features[a].feature * C + c;
    const int32_t *partial = accumulators->field_counts + a * F;
    const REAL *gradients =
        (const REAL *)accumulators->grad_V + a * accumulators->grad_stride + c * F * k;
    const int is_partial = accumulators->n_partial[a] > 0;
    const int64_t whole = accumulators->features[a].n_rows - accumulators->n_partial[a];
    int all_finite = 1;
    for (int64_t b = 0, end; b < F; b = end) {
        const int64_t rows = whole + (is_partial ? partial[b] : 0);
        for (end = is_partial ? b + 1 : F; end < F && partial[end] == partial[b];)
            end++;
        if (rows > 0)
            all_finite &= NAME(update_V)(batch, rule, rows, inverse_scale, (j * F + b) * k,
                                         (end - b) * k, gradients + b * k);
    }
    return all_finite;
}

/* The kernel (update_features_kernel in batch.h): groups of UPDATE_WIDTH features, w first, then V.
 * rule_of is made once for w and once for V, which differ in their L1 penalty. */
static int NAME(update_features)(const batch_view *batch, const gradient_accumulators *accumulators,
                                 const int32_t *to_update, int64_t n_updates)
{
    const fastfm_model *model = batch->model;
    const fastfm_solver *solver = batch->solver;
    const feature_entry *features = accumulators->features;
    const int64_t C = model->n_outputs, stride = feature_stride(model);
    const NAME(rule) linear = NAME(rule_of)(solver, solver->l1_linear);
    NAME(rule) factors = NAME(rule_of)(solver, solver->l1_factors);
    double inverse_scale[UPDATE_WIDTH];
    int all_finite = 1;
    for (int64_t first = 0; first < n_updates; first += UPDATE_WIDTH) {
        const int64_t n = min_i64(UPDATE_WIDTH, n_updates - first);
        for (int64_t i = 0; i < n; i++) {
            const feature_entry *entry = &features[to_update[first + i]];
            inverse_scale[i] =
                solver->scale ? NAME(update_scale)(batch, entry->feature, (REAL)entry->largest) : 1;
        }
        all_finite &=
            NAME(update_w)(batch, accumulators, &linear, to_update + first, n, inverse_scale);
        for (int64_t i = 0; i < n; i++) {
            const int64_t a = to_update[first + i];
            if (first + i + UPDATE_WIDTH < n_updates)
                NAME(prefetch_state)(batch, features[to_update[first + i + UPDATE_WIDTH]].feature);
            if (!model->fields)
                all_finite &= NAME(update_V)(batch, &factors, features[a].n_rows, inverse_scale[i],
                                             features[a].feature * stride, stride,
                                             (const REAL *)accumulators->grad_V +
                                                 a * accumulators->grad_stride);
            for (int64_t c = 0; model->fields && c < C; c++)
                all_finite &=
                    NAME(ffm_update_V)(batch, accumulators, &factors, a, c, inverse_scale[i]);
        }
    }
    return all_finite;
}
