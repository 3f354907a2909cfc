/* learn: sums the gradients of a batch for the features of one part, and updates each once. */
static int NAME(learn)(const batch_data *B, int64_t part, const learn_scratch *scratch)
{
    const fastfm_model *model = B->model;
    const int64_t C = model->n_outputs;
    const int64_t block = factors_of_feature(model);
    const int64_t n_slots = NAME(find_slots)(B, part, scratch);
    for (int64_t slot = 0; slot < UPDATE_WIDTH; slot++)
        OF_REAL(prefetch_state)(B, scratch, slot, n_slots, block);
    for (int64_t i = 0; i < n_slots * C; i++)
        ((REAL *)scratch->grad_w)[i] = 0;
    if (model->fields)
        NAME(ffm_sum_gradients)(B, part, n_slots, scratch);
    else
        NAME(fm_sum_gradients)(B, part, n_slots, scratch);
    return OF_REAL(update_slots)(B, scratch, n_slots);
}
