/* sum_part: finds the features of a part and sums their gradients over the rows of the batch. */
static void NAME(sum_part)(const batch_data *B, int64_t part, part_data *found)
{
    const int64_t C = B->model->n_outputs;
    NAME(find_slots)(B, part, found);
    for (int64_t i = 0; i < found->n_slots * C; i++)
        ((REAL *)found->grad_w)[i] = 0;
    if (B->model->fields) {
        NAME(ffm_sum_gradients)(B, part, found);
    } else {
        OF_REAL(prefetch_states)(B, found, 0);
        NAME(fm_sum_gradients)(B, part, found);
    }
}
