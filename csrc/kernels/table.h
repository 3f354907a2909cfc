/* The kernel table: one list of all kernels, and one table of them per instruction set.
 *
 * Words:
 *   kernel   a function that an instruction set has its own build of, reached through the table
 *   level    an instruction set: baseline, avx2, avx512 (dispatch.h says which one is in use)
 *   variant  one build of a kernel for certain types; ALL: parameters x data x indices, REAL:
 *            parameters only, INDEX: indices only, SMALL: data x indices, with float32 sums
 *
 * Contract of every kernel: it trusts its input, because the driver has checked indptr, indices
 * and fields of the rows that it is given; values may be any number, also NaN. It allocates
 * nothing, keeps no pointer and cannot fail. Arrays need no more alignment than their type, and
 * those that it writes overlap no other.
 *
 * Sizes in comments: C = n_outputs, k = n_factors, F = n_fields; a row has z values in f fields. */
#ifndef FASTFM_TABLE_H
#define FASTFM_TABLE_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/common.h"
#include "kernels/columns/view.h"
#include "kernels/prefetch.h"
#include "kernels/recommend/draw.h"
#include "kernels/recommend/rank.h"
#include "kernels/recommend/views.h"
#include "kernels/sum_order.h"
#include "kernels/tuning.h"
#include "kernels/update/batch.h"

/* Scores rows [begin, end).
 *   scores   (end - begin, C) of the model's type; row `begin` is the first
 *   s        FM: NULL, or (end - begin, C, k) of the model's type, for the s_f of each row
 *   linear_scale  FM: NULL, or (X->n_rows,) what the linear part of each row is multiplied by
 *   max_row  at least z of every row
 *   scratch  FFM: score_scratch_bytes, aligned to 8 bytes, begun with -1 in n_fields int32; keeps the
 *            last row grouped by field. FM: not used, may be NULL
 * Parameters of values up to X->nnz are prefetched, also beyond row `end`. */
typedef void (*score_kernel)(const fastfm_csr *X, const double *linear_scale,
                             const fastfm_model *model, int64_t begin, int64_t end, void *scores,
                             void *s, int64_t max_row, void *scratch);

/* Checks the columns of rows [begin, end): returns OK, or BAD_INDEX or REPEATED_COLUMN with the
 * first such row. Only indptr has been checked. table: (check_table_size(longest row),) numbers,
 * which only rows that are not in ascending order use. */
typedef fastfm_status (*check_kernel)(const fastfm_csr *X, int64_t n_features, int64_t begin,
                                      int64_t end, int64_t *table, int64_t *bad_row);

/* One update of n parameters by their gradients, without penalty and scale. state0, state1: the
 * state of these parameters, or NULL where the rule has none. All four arrays are of the model's
 * type. Returns whether all stayed finite; one that would not keeps its value. */
typedef int (*update_kernel)(const fastfm_solver *solver, int64_t n, void *parameters, void *state0,
                             void *state1, const void *gradients);

/* All kernels: X(type, name, variants). A new kernel is one line here, its file, and the line that
 * includes the file in real.inc.h (REAL), variant.inc.h (ALL, SMALL) or instantiate.inc.h (INDEX). */
#define KERNEL_LIST(X)                                   \
    X(score_kernel, fm_score, ALL)                       \
    X(score_kernel, ffm_score, ALL)                      \
    X(score_kernel, fm_score_half, SMALL)                \
    X(score_kernel, fm_score_byte, SMALL)                \
    X(score_kernel, ffm_score_small, SMALL)              \
    X(gradient_kernel, fm_gradient, ALL)                 \
    X(check_kernel, check, INDEX)                        \
    X(fm_partition_kernel, fm_partition_values, ALL)     \
    X(fm_partition_kernel, fm_share_values, ALL)         \
    X(fm_share_kernel, fm_add_share, ALL)                \
    X(ffm_partition_kernel, ffm_partition_features, ALL) \
    X(ffm_assign_kernel, ffm_assign_accumulators, REAL)  \
    X(ffm_accumulate_kernel, ffm_accumulate_row, REAL)   \
    X(reduce_kernel, fm_reduce_partition, ALL)           \
    X(reduce_kernel, ffm_reduce_partition, REAL)         \
    X(update_features_kernel, update_features, REAL)     \
    X(update_kernel, update_parameters, REAL)            \
    X(reduce_kernel_of_row, reduce_row, ALL)             \
    X(tile_kernel, score_tile, REAL)                     \
    X(next_above_kernel, next_above, REAL)               \
    X(rank_kernel, rank_item_sums, REAL)                 \
    X(rank_kernel, rank_positives, REAL)                 \
    X(rank_kernel, rank_rows, REAL)                      \
    X(rank_kernel, rank_features, REAL)                  \
    X(column_sums_kernel, column_sums, REAL)             \
    X(column_solve_kernel, column_solve, REAL)           \
    X(column_apply_kernel, column_apply, REAL)           \
    X(column_visit_kernel, column_visit, REAL)           \
    X(relation_kernel, relation_gather, REAL)            \
    X(relation_kernel, relation_spread, REAL)            \
    X(column_row_sums_kernel, column_row_sums, ALL)      \
    X(pair_residuals_kernel, pair_residuals, REAL)       \
    X(column_slopes_kernel, column_slopes, REAL)

/* Indices are 1 for f64 parameters, f64 data and i64 indices, else 0. */
#define KERNEL_INDICES_ALL [2][2][2]
#define KERNEL_INDICES_SMALL [2][2]
#define KERNEL_INDICES_REAL [2]
#define KERNEL_INDICES_INDEX [2]
#define KERNEL_MEMBER(type, name, variants) type name KERNEL_INDICES_##variants;
typedef struct {
    const char *level;
    KERNEL_LIST(KERNEL_MEMBER)
} kernel_table;

extern const kernel_table kernels_baseline;
#ifdef FASTFM_X86_64
extern const kernel_table kernels_avx2, kernels_avx512;
#endif

/* The variant of a kernel with ALL variants for a model and a matrix. */
#define KERNEL_OF(entry, model, X)                                      \
    ((entry)[(model)->real == FASTFM_F64][(X)->data_type == FASTFM_F64] \
            [(X)->index_type == FASTFM_I64])

/* --------------------------------------------------------------- what kernels and drivers share */

/* Numbers in V from one feature to the next: C k, or C F k in an FFM. */
FORCE_INLINE int64_t feature_stride(const fastfm_model *model)
{
    return model->n_outputs * model->n_factors * (model->fields ? model->n_fields : 1);
}

/* Bytes of a number of V. */
FORCE_INLINE int64_t stored_size(const fastfm_model *model)
{
    if (model->small.storage == FASTFM_AS_REAL)
        return (int64_t)real_size(model->real);
    return model->small.storage == FASTFM_HALF ? 2 : 1;
}

/* What the int8 numbers of feature j are multiplied by. */
FORCE_INLINE float scale_of_feature(const fastfm_model *model, int64_t j)
{
    const fastfm_small *small = &model->small;
    return small->scale[small->scale_of ? small->scale_of[j] : j * small->scale_step];
}

/* The last two columns of FASTFM_RULE_LIST. */
FORCE_INLINE int rule_degree(fastfm_rule rule)
{
#define DEGREE(ENUM, function, n_states, degree, per_row) \
    case FASTFM_##ENUM:                                   \
        return degree;
    switch (rule) {
        FASTFM_RULE_LIST(DEGREE)
    default:
        return 0;
    }
#undef DEGREE
}

FORCE_INLINE int rule_penalises_rows(fastfm_rule rule)
{
#define PER_ROW(ENUM, function, n_states, degree, per_row) \
    case FASTFM_##ENUM:                                    \
        return per_row;
    switch (rule) {
        FASTFM_RULE_LIST(PER_ROW)
    default:
        return 0;
    }
#undef PER_ROW
}

/* What the L2 penalty `l2` of a parameter is in an update for n rows that have its feature. With
 * l2_in_scale it is that of p * scale, so p has scale^2 times as much, but no more than floats hold. */
FORCE_INLINE double l2_of_rows(const fastfm_solver *solver, double l2, int64_t n,
                               double inverse_scale)
{
    const double penalty = rule_penalises_rows(solver->rule) ? l2 * (double)n : l2;
    if (!solver->l2_in_scale)
        return penalty;
    return fmin(penalty / inverse_scale / inverse_scale, FLT_MAX);
}

/* How many values ahead of the present one ffm_accumulate_row prefetches V. */
FORCE_INLINE int64_t ffm_values_ahead(const fastfm_model *ffm)
{
    return FFM_PREFETCH_BYTES / (feature_stride(ffm) * (int64_t)real_size(ffm->real));
}

/* The most vectors of k numbers that a row of at most max_row values needs for field sums: 2 f^2 if
 * it is scored by field sums, which it is only if f < z / 2; f for a gradient. */
FORCE_INLINE int64_t ffm_scratch_vectors(int64_t max_row, int64_t n_fields)
{
    const int64_t by_sums = min_i64(min_i64(n_fields, max_row / 2), FFM_SUMS_FIELDS);
    return max_i64(by_sums * min_i64(n_fields, 2 * by_sums), min_i64(n_fields, max_row));
}

/* The scratch of FFM kernels, as ffm/row.inc.h divides it. */
FORCE_INLINE int64_t ffm_scratch_bytes(int64_t max_row, int64_t n_fields, int64_t n_factors)
{
    return 8 * (9 * max_row + 3 + (n_fields + 1) / 2 +
                ffm_scratch_vectors(max_row, n_fields) * n_factors);
}

/* The scratch of a score kernel: for an FFM of small parameters also those of one row as float32 with
 * their fields, columns and present fields, as ffm/score_small.inc.h divides it. */
FORCE_INLINE int64_t score_scratch_bytes(const fastfm_model *model, int64_t max_row)
{
    int64_t bytes;
    if (!model->fields)
        return 0;
    bytes = ffm_scratch_bytes(max_row, model->n_fields, model->n_factors);
    if (model->small.storage != FASTFM_AS_REAL)
        bytes += max_row * (4 * (feature_stride(model) + model->n_outputs + 1) + 8) +
                 4 * model->n_fields + 8;
    return bytes;
}

/* The cells of check's hash table: 0, or at least twice the longest row. */
FORCE_INLINE int64_t check_table_size(int64_t max_row)
{
    int64_t size = 1;
    if (max_row <= CHECK_BY_PAIRS)
        return 0;
    while (size < 2 * max_row)
        size *= 2;
    return size;
}

#endif
