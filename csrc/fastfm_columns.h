/* Learning by columns, a part of fastfm.h, which includes it: the words and rules of that file hold.
 *
 * The parameters of an FM with one output are learned in turn, column by column, with all others held
 * (kernels/columns/view.h). A sweep goes over all of them once. */
#ifndef FASTFM_COLUMNS_H
#define FASTFM_COLUMNS_H

/* X by columns, a copy of the parameters, and what is left of each row. It borrows X and the targets until
 * it is closed: the one exception to the rule that nothing is kept. */
typedef struct fastfm_columns fastfm_columns;

/* Makes one for rows of X: `rows`, (n_rows,) different row numbers, or NULL for all. X has passed
 * fastfm_check, repeats no column and has at most INT32_MAX rows and columns. The model divides no rows
 * and has one output; the loss is SQUARED or LOGISTIC, and takes the targets.
 *   bad_row  after BAD_ROW the entry of `rows` that is not a row of X */
fastfm_status fastfm_columns_open(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                                  const fastfm_model *model, const fastfm_loss *loss,
                                  const fastfm_targets *targets, fastfm_columns **columns,
                                  int num_threads, int64_t *bad_row);
void fastfm_columns_close(fastfm_columns *columns); /* NULL is allowed */

/* Begins a sweep of alternating least squares on
 *
 *     (sum of weight * loss) / (sum of weights) + l2_linear / 2 |w|^2 + l2_factors / 2 |V|^2
 *
 * or, with has_sweep 0, only what fastfm_columns_objective needs. */
void fastfm_columns_begin(fastfm_columns *columns, double l2_linear, double l2_factors,
                          int has_sweep);

/* Goes on for about a third of a second of one thread's time, and sets *is_done once the end is reached.
 * BAD_INDPTR, BAD_INDEX: X has changed, and the sweep cannot be ended. */
fastfm_status fastfm_columns_go_on(fastfm_columns *columns, int num_threads, int *is_done,
                                   int64_t *bad_row);

/* The objective at the end of the last sweep. NaN or infinite: a parameter or a score is. */
fastfm_status fastfm_columns_objective(const fastfm_columns *columns, double *objective,
                                       int num_threads);

/* Writes the parameters to those of a model of the same sizes and type. */
void fastfm_columns_read(const fastfm_columns *columns, const fastfm_model *model);

/* What a Gibbs sampler is at, beside the parameters, by groups of columns; k = n_factors. */
typedef struct {
    uint64_t seed; /* it and the iteration decide all random numbers */
    int64_t iteration;
    double alpha;            /* precision of the noise; LOGISTIC: 1 */
    double *lambda_w, *mu_w; /* (n_groups,) precision and mean of the w of a group */
    double *lambda_V, *mu_V; /* (n_groups, k) of each factor */
    int holds_penalties;     /* lambda and mu are not drawn, but stay what they are */
} fastfm_sampler;

/* Makes columns ready for sampling, once, before the first fastfm_columns_begin_sample. groups: (n_features,)
 * from 0 to n_groups - 1, borrowed until columns are closed; NULL: 0 each. */
fastfm_status fastfm_columns_set_groups(fastfm_columns *columns, const int32_t *groups,
                                        int64_t n_groups);

/* Begins an iteration of the sampler, which fastfm_columns_go_on goes on with: latent targets (LOGISTIC: those
 * of a probit model), alpha (SQUARED), lambda and mu, w0, and each w_j and block of v_j, in this order,
 * each drawn from its distribution given all others:
 *
 *     y ~ N(score, 1 / (alpha weight)),   p ~ N(mu, 1 / lambda),   mu ~ N(0, 1 / lambda),
 *     lambda, alpha ~ Gamma(1 / 2, rate 1 / 2) */
void fastfm_columns_begin_sample(fastfm_columns *columns, const fastfm_sampler *sampler);

/* After its end: writes alpha, lambda and mu. */
void fastfm_columns_read_sample(const fastfm_columns *columns, fastfm_sampler *sampler);

/* Of the plan: values and colours of columns, those of relations by their shared rows (columns that repeat
 * over many rows, and are learned by what they share); and whether all rows are pairs of one-hot values, for which nothing is
 * kept by row; bytes that are allocated. */
typedef struct {
    int64_t n_rows, nnz, n_colours, n_relations, bytes;
    int is_pair;
} fastfm_columns_facts;
fastfm_columns_facts fastfm_columns_plan(const fastfm_columns *columns);

/* The same for an FFM with one output: alternating least squares, field by field and pair of fields by pair
 * of fields. Sampling is not for it. Rows with the same values of a field are of one kind, and what
 * counts of them is summed: so rows of categories cost a pass for each pair of fields. It borrows the
 * model's fields too. */
typedef struct fastfm_field_columns fastfm_field_columns;

/* Each as the function above without `field`. After begin, a sweep goes over everything once. */
fastfm_status fastfm_field_columns_open(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                                        const fastfm_model *model, const fastfm_loss *loss,
                                        const fastfm_targets *targets,
                                        fastfm_field_columns **columns, int num_threads,
                                        int64_t *bad_row);
void fastfm_field_columns_close(fastfm_field_columns *columns); /* NULL is allowed */
void fastfm_field_columns_begin(fastfm_field_columns *columns, double l2_linear, double l2_factors,
                                int has_sweep);
fastfm_status fastfm_field_columns_go_on(fastfm_field_columns *columns, int num_threads,
                                         int *is_done, int64_t *bad_row);
fastfm_status fastfm_field_columns_objective(const fastfm_field_columns *columns, double *objective,
                                             int num_threads);
void fastfm_field_columns_read(const fastfm_field_columns *columns, const fastfm_model *model);

/* Of the plan: values, different groups of values of fields, pairs of fields that have values, those of
 * them whose pairs of kinds fit into a table, and bytes that are allocated. */
typedef struct {
    int64_t n_rows, nnz, n_kinds, n_pairs, n_tables, bytes;
} fastfm_field_facts;
fastfm_field_facts fastfm_field_columns_plan(const fastfm_field_columns *columns);

#endif
