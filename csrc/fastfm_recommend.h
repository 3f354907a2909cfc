/* Recommending: candidates beside contexts. A part of fastfm.h, whose rules hold here, except that
 *
 *   trust  X is a matrix that fastfm_check has passed for the columns of the model. Its rows repeat
 *          no column, unless the model separates_repeats
 *
 * Words:
 *   candidate, context  two rows without a common column; their joined row is what is scored
 *   sums      of a row: in an FM s_f = sum_j v_jf x_j; in an FFM S[a, b], the sum of V[j, b] x_j over
 *             the values j of field a
 *   constant  the score of a row alone, in a candidate without w0
 *   slot      the number of a field among those that candidates have; an FM has one field
 *   term      one of the products of sums that are added: T = F * n_slots * k of them, and k in an FM
 *   panel     16 candidates, whose sums lie side by side: (term, candidate) */
#ifndef FASTFM_RECOMMEND_H
#define FASTFM_RECOMMEND_H

#include "fastfm.h"

#define FASTFM_PANEL 16

/* Candidates, reduced once. For a context c and a candidate i, with terms f in ascending order,
 *
 *     score = (constant_i + sum_f c_f i_f) + constant_c
 *
 * In an FFM term (a, slot of b) is S_c[a, b] times S_i[b, a], and only fields a that c has count. */
typedef struct {
    const fastfm_model *model; /* of one output, whose rows are not divided */
    int64_t n_candidates, n_slots;
    const int32_t *slots;  /* FFM: (F,) the slot of each field, or -1 */
    const int32_t *fields; /* FFM: (n_slots,) the field of each slot */
    const void *panels;    /* (P, T, 16) of the model's type; P panels hold all candidates */
    const void *constants; /* (P, 16); -infinity where there is no candidate */
} fastfm_candidates;

/* T. */
int64_t fastfm_n_terms(const fastfm_candidates *candidates);

/* Writes the sums of rows, and their constants as far as these are linear. The constants with the pairs
 * of a row's own are what fastfm_score gives.
 *   is_context  whether X holds contexts: sums is (n_rows, T), and w0 is part of the constants; else
 *               sums are panels, which begin as zeros
 *   linear      (n_rows,), or NULL */
fastfm_status fastfm_reduce(const fastfm_csr *X, const fastfm_candidates *candidates,
                            int is_context, void *sums, void *linear, int num_threads);

/* Writes scores, (n_rows, n_candidates) of the model's type, for the contexts X.
 *   own  (n_rows,) the scores of the contexts alone, as fastfm_score gives them; NULL: w0 and their
 *        linear parts, without the pairs of their own rows */
fastfm_status fastfm_candidate_scores(const fastfm_csr *X, const fastfm_candidates *candidates,
                                      const void *own, void *scores, int num_threads);

/* The k candidates of the highest scores for each context, the highest first; of equal scores the smaller
 * index comes first. Scores of -infinity and NaN are never chosen, and 0 is returned for -0.
 *   excluded  NULL, or (n_rows, n_candidates): stored entries are never chosen; columns of a row rise
 *   indices   (n_rows, k), -1 where fewer are left
 *   scores    (n_rows, k) of the model's type, -infinity where fewer are left */
fastfm_status fastfm_top_k(const fastfm_csr *X, const fastfm_candidates *candidates,
                           const void *own, int64_t k, const fastfm_csr *excluded, int64_t *indices,
                           void *scores, int num_threads);

/* The losses of ranking; kernels/recommend/rank_positives.inc.h has their formulas. */
typedef enum { FASTFM_BPR, FASTFM_WARP, FASTFM_SAMPLED_LOGISTIC } fastfm_rank_loss;

/* Rows of contexts or of items. They have been checked: columns are features of the model, none occurs
 * twice in a row, and values are finite. */
typedef struct {
    int64_t n_rows;
    const int64_t *indptr;  /* (n_rows + 1,) from 0 */
    const int32_t *indices; /* (nnz,) */
    const void *data;       /* (nnz,) of the model's type */
} fastfm_rank_rows;

/* Interactions of contexts and items, and how to learn from them. All has been checked. */
typedef struct {
    fastfm_rank_rows contexts, items;
    const int32_t *context_of, *item_of; /* (n_entries,) the rows of each interaction */
    const double *weight;                /* (n_entries,), or NULL for 1 each */
    const int64_t *seen_indptr;          /* (n_contexts + 1,) */
    const int32_t *seen;     /* (seen_indptr[n_contexts],) eligible items in ascending order */
    const int32_t *eligible; /* (n_eligible,) what may be a negative; at least 1 */
    const int32_t *pool; /* (n_pool,) what is drawn: eligible items, as often as they are likely */
    int64_t n_eligible, n_pool; /* below 2^32 */
    fastfm_rank_loss loss;
    int has_own_pairs; /* whether pairs inside a context's and an item's own row count */
    int64_t max_tries; /* WARP: draws for a positive, at most */
    uint64_t seed;
} fastfm_ranking;

/* Learns to rank from interactions, in batches of solver->batch_size. All negatives of a batch are drawn
 * and scored under the parameters that it begins with. Gradients of its positives are summed in their
 * order; then each touched feature is updated once, with one L2 term.
 *   model  an FM of one output; w0 is learned by SAMPLED_LOGISTIC alone, by plain steps
 *   epoch  with seed and entry it decides what is drawn
 *   order  (n,) entries to learn from, in order
 *   total  *total += sum of losses
 * DIVERGED: a loss or a parameter was not finite; the parameters still are. */
fastfm_status fastfm_rank(const fastfm_ranking *ranking, const fastfm_model *model,
                          fastfm_solver *solver, int64_t epoch, const int64_t *order, int64_t n,
                          double *total, int num_threads);

#endif
