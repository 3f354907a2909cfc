/* The largest |x| of each slot. */
static void NAME(find_largest)(const batch_data *B, int64_t part, const learn_scratch *scratch)
{
    const DATA *data = (const DATA *)B->X.data;
    const int32_t *slot_of = scratch->slot_of;
    REAL *largest = (REAL *)scratch->largest;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const REAL x = (REAL)data[B->entries[e].position], size = x < 0 ? -x : x;
            REAL *sofar = largest + *slot_of++;
            *sofar = size > *sofar ? size : *sofar;
        }
    }
}

/* slots: numbers the features of a part in order of appearance, in scratch->slot_of for each of its
 * entries, and counts their rows. Returns how many there are. Prefetches what the sums need. */
static int64_t NAME(find_slots)(const batch_data *B, int64_t part, const learn_scratch *scratch)
{
    const fastfm_model *model = B->model;
    const int64_t C = model->n_outputs;
    const int64_t block = C * model->n_factors * (model->fields ? model->n_fields : 1);
    const int64_t row_bytes = block * (int64_t)sizeof(REAL), w_bytes = C * (int64_t)sizeof(REAL);
    const uint64_t mask = (uint64_t)scratch->table_size - 1;
    REAL *largest = (REAL *)scratch->largest;
    int64_t n_slots = 0, n_entries = 0;
    for (int64_t t = 0; t < scratch->table_size; t++)
        scratch->table[t] = -1;
    for (int64_t b = 0; b < B->n_blocks; b++) {
        const int64_t *begin = B->part_begin + b * (B->n_parts + 1) + part;
        for (int64_t e = begin[0]; e < begin[1]; e++) {
            const int64_t feature = B->entries[e].feature;
            uint64_t at = feature_hash(feature) >> 16 & mask;
            int32_t slot;
            while ((slot = scratch->table[at]) >= 0 && scratch->features[slot] != feature)
                at = (at + 1) & mask;
            if (slot < 0) {
                scratch->table[at] = slot = (int32_t)n_slots++;
                scratch->features[slot] = feature;
                scratch->counts[slot] = 0;
                largest[slot] = 0;
                prefetch_row(model->V, feature, row_bytes, row_bytes, 1);
                prefetch_row(model->w, feature, w_bytes, w_bytes, C > 1);
            }
            scratch->counts[slot]++;
            scratch->slot_of[n_entries++] = slot;
        }
    }
    if (B->solver->scale)
        NAME(find_largest)(B, part, scratch);
    return n_slots;
}

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
    return UPDATE(B->solver, terms, n, parameters, state0 ? state0 + first : NULL,
                  state1 ? state1 + first : NULL, gradients);
}

/* The state of the feature of a slot to come. */
FORCE_INLINE void NAME(prefetch_state)(const batch_data *B, const learn_scratch *scratch,
                                       int64_t slot, int64_t n_slots, int64_t block)
{
    const fastfm_solver *solver = B->solver;
    const int64_t C = B->model->n_outputs;
    const int64_t row_bytes = block * (int64_t)sizeof(REAL), w_bytes = C * (int64_t)sizeof(REAL);
    if (slot >= n_slots)
        return;
    if (solver->scale)
        prefetch_row(solver->scale, scratch->features[slot], sizeof(REAL), sizeof(REAL), 0);
    for (int s = 0; s < 2 && solver->state[s].V; s++) {
        prefetch_row(solver->state[s].V, scratch->features[slot], row_bytes, row_bytes, 1);
        prefetch_row(solver->state[s].w, scratch->features[slot], w_bytes, w_bytes, C > 1);
    }
}
