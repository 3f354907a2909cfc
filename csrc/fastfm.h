/* fastfm, the whole C API: factorization machines over CSR matrices. For all functions:
 *
 *   arrays       are borrowed for the length of a call and never kept. They are in C order and aligned
 *                for their type. Those that are written overlap no other
 *   state        nothing is printed, and no global state is changed, except by fastfm_use_level and
 *                fastfm_init_threads. All others may be called by many threads at once
 *   num_threads  the most threads that work; small work takes fewer. No result depends on it
 *   status       OK, or why the call failed. After the fault of a row *bad_row is that row of X
 *   trust        indptr, indices and labels are checked. Sizes, types and pointers are not
 *
 * Sizes in comments: C = n_outputs, k = n_factors, F = n_fields. */
#ifndef FASTFM_H
#define FASTFM_H

#include "fastfm_small.h" /* and <stdint.h> */

/* The statuses: name, and the text that fastfm_status_message returns. */
#define FASTFM_STATUS_LIST(X)                                 \
    X(OK, "success")                                          \
    X(BAD_INDPTR, "indptr decreases or leaves the arrays")    \
    X(BAD_INDEX, "a column index is outside [0, n_features)") \
    X(REPEATED_COLUMN, "a column occurs twice in a row")      \
    X(BAD_LABEL, "a label is not one that the loss takes")    \
    X(BAD_ROW, "a row number is outside the matrix")          \
    X(DIVERGED, "a loss or a parameter is not finite")        \
    X(BAD_TEXT, "a line of text is malformed")                \
    X(WIDE_INDEX, "an index does not fit 32 bits")            \
    X(NO_MEMORY, "out of memory")

#define FASTFM_STATUS_MEMBER(name, message) FASTFM_##name,
typedef enum { FASTFM_STATUS_LIST(FASTFM_STATUS_MEMBER) FASTFM_N_STATUSES } fastfm_status;
const char *fastfm_status_message(fastfm_status status);

/* Element types. Parameters, scores and gradients are F32 or F64, and so are the values of a matrix; its
 * indices are I32 or I64. Targets have any of the five (U8 is NumPy's bool). */
typedef enum { FASTFM_F32, FASTFM_F64, FASTFM_I32, FASTFM_I64, FASTFM_U8 } fastfm_type;

/* A CSR matrix, or a slice of one. Row i has the columns indices[p] and values data[p] for p in
 * [indptr[i], indptr[i + 1]). Columns need not ascend. A column that occurs twice in a row counts as
 * one, with the sum of its values. A value of zero counts as none, whatever its parameters are. */
typedef struct {
    int64_t n_rows, nnz; /* nnz: the length of indices and data, of which a slice uses a part */
    const void *indptr;  /* (n_rows + 1,) of index_type */
    const void *indices; /* (nnz,) of index_type */
    const void *data;    /* (nnz,) of data_type */
    fastfm_type index_type, data_type;
} fastfm_csr;

/* What a row x is divided by before it is scored or learned from. AS_IS: nothing. INSTANCE: its length
 * |x|, as in libffm. XLEARN: |x| in the linear part and |x|^2 in each factor of a pair, as in the FM
 * of xLearn; only for an FM. A row of zeros stays as it is. */
typedef enum { FASTFM_AS_IS, FASTFM_INSTANCE, FASTFM_XLEARN } fastfm_normalization;

/* An FM if fields is NULL, else an FFM. For a row x and each output:
 *
 *     FM    y = w0 + sum_j w_j x_j + sum_{i<j} <V_i, V_j> x_i x_j
 *     FFM   y = w0 + sum_j w_j x_j + sum_{i<j} <V_{i, field(j)}, V_{j, field(i)}> x_i x_j
 *
 * What belongs to a feature lies together, for all outputs, because a row uses all of it. */
typedef struct {
    int64_t n_features, n_fields, n_factors, n_outputs; /* the last two: at least 1 */
    fastfm_type real;                                   /* of the parameters */
    /* (C,), (n_features, C) and (n_features, C, k), the last (n_features, C, F, k) in an FFM. Only
     * fastfm_train writes to them. */
    void *w0, *w, *V;
    const int32_t *fields; /* (n_features,) the field of each, in [0, F); NULL for an FM */
    fastfm_normalization normalization;
    int separates_repeats; /* fastfm_score: repeated columns are values of their own, as for libffm */
    fastfm_small small;    /* how w and V are stored: zeros for numbers of the type */
} fastfm_model;

/* The losses. The columns of a line:
 *   name         FASTFM_<name>
 *   function     <function>_loss in losses/pointwise.h, which has the formula
 *   targets      is_<targets>_target there: the targets that the loss takes
 *   expects      the same in words, for messages; {last} stands for n_outputs - 1
 *   is_multiple  whether it has several outputs, one score for each class; else it has one */
#define FASTFM_LOSS_LIST(X)                           \
    X(SQUARED, squared, finite, "a finite number", 0) \
    X(LOGISTIC, logistic, binary, "0 or 1", 0)        \
    X(SOFTMAX, softmax, class, "an integer class in 0..{last}", 1)

#define FASTFM_LOSS_MEMBER(name, function, targets, expects, is_multiple) FASTFM_##name,
typedef enum { FASTFM_LOSS_LIST(FASTFM_LOSS_MEMBER) FASTFM_N_LOSSES } fastfm_loss_kind;

/* The loss whose line has this function, or -1; then `expects` and `is_multiple` of a loss. */
int fastfm_find_loss(const char *function);
const char *fastfm_loss_expects(fastfm_loss_kind kind);
int fastfm_loss_is_multiple(fastfm_loss_kind kind);

typedef struct {
    fastfm_loss_kind kind;
    double label_smoothing; /* in [0, 1): the probability that a label gives to the other classes */
} fastfm_loss;

/* What the rows of X should score. */
typedef struct {
    const void *y; /* (n_rows,) of y_type */
    fastfm_type y_type;
    const double *weight; /* (n_rows,), or NULL for 1 each; a row of weight 0 is as if absent */
} fastfm_targets;

/* Where a gradient is added. content, of w and V: KEPT is added to; FRESH is zeros whose pages nobody has
 * touched, which the threads do first; STALE is anything, over which the threads write zeros first. */
typedef enum { FASTFM_KEPT, FASTFM_FRESH, FASTFM_STALE } fastfm_content;
typedef struct {
    double *w0;  /* (C,), always double, because it is a sum over all rows */
    void *w, *V; /* like those of the model */
    fastfm_content content;
} fastfm_gradient_arrays;

/* Writes scores, (n_rows, C) of the model's type. The bits of a score depend on its row and the model
 * alone. After BAD_INDEX some rows have been scored. */
fastfm_status fastfm_score(const fastfm_csr *X, const fastfm_model *model, void *scores,
                           int num_threads, int64_t *bad_row);

/* Checks X for n_features columns. Unless largest is NULL, *largest is set to the largest |x| of all values,
 * repeated columns summed, or NaN if one is NaN; and *has_repeats to whether a row has a column
 * twice. Neither means anything if X is at fault. */
fastfm_status fastfm_check(const fastfm_csr *X, int64_t n_features, double *largest,
                           int *has_repeats, int num_threads, int64_t *bad_row);

/* Copies indices and data, (nnz,) in X's types, of an X that has passed fastfm_check. In each row the values
 * of repeated columns are added to the first of them, and as many explicit zeros come last, so that
 * indptr fits the copy. */
fastfm_status fastfm_sum_repeats(const fastfm_csr *X, void *indices, void *data);

/* *total += sum over rows of weight * loss. The sum is made in row order, in blocks of FASTFM_ROW_BLOCK
 * rows. A caller may go through X in pieces that begin at multiples of FASTFM_PIECE_ROWS rows: the
 * bits of the objective and of the gradient are those of one call. BAD_LABEL is returned only if X is
 * sound. After a fault *total is as before. */
#define FASTFM_ROW_BLOCK 256
#define FASTFM_PIECE_ROWS 8192
fastfm_status fastfm_objective(const fastfm_csr *X, const fastfm_model *model,
                               const fastfm_loss *loss, const fastfm_targets *targets,
                               double *total, int num_threads, int64_t *bad_row);

/* fastfm_objective, and adds the gradient of that sum divided by weight_sum to the arrays of `gradient`.
 * After a fault *total and w0 are as before, and w and V may have been added to. */
fastfm_status fastfm_gradient(const fastfm_csr *X, const fastfm_model *model,
                              const fastfm_loss *loss, const fastfm_targets *targets,
                              double weight_sum, double *total,
                              const fastfm_gradient_arrays *gradient, int num_threads,
                              int64_t *bad_row);

/* The update rules. The columns of a line:
 *   name      FASTFM_<name>
 *   function  in kernels/update/rules.inc.h, which has the formula
 *   n_states  numbers that the rule keeps for each parameter: 0, 1 or 2
 *   degree    the first of them is a sum or mean of gradients (1) or of their squares (2)
 *   per_row   1: each row adds an L2 term to its loss; 0: the penalty is on the parameter, once
 * SUM is for fastfm_gradient only: it adds gradients to the caller's arrays, and is no solver. */
#define FASTFM_RULE_LIST(X)      \
    X(SGD, sgd, 0, 0, 1)         \
    X(ADAGRAD, adagrad, 1, 2, 1) \
    X(ADAM, adam, 2, 1, 1)       \
    X(FTRL, ftrl, 2, 1, 0)       \
    X(SUM, sum, 0, 0, 1)

#define FASTFM_RULE_MEMBER(name, function, n_states, degree, per_row) FASTFM_##name,
typedef enum { FASTFM_RULE_LIST(FASTFM_RULE_MEMBER) FASTFM_N_RULES } fastfm_rule;

/* The rule whose line has this function, or -1; then n_states of a rule. */
int fastfm_find_rule(const char *function);
int fastfm_rule_n_states(fastfm_rule rule);

/* What a rule keeps for each parameter, in arrays like the model's. AdaGrad: sums of squared gradients.
 * Adam: means of gradients, and of their squares. FTRL: z, and sums of squared gradients. */
typedef struct {
    void *w0, *w, *V;
} fastfm_state;

/* A rule, its options and its state. */
typedef struct {
    fastfm_rule rule; /* not SUM */
    double learning_rate;
    double l1_linear, l1_factors; /* FTRL: the L1 penalties of w and V */
    double l2_linear, l2_factors; /* the L2 penalties of w and V; `per_row` says of what */
    double beta1, beta2;          /* Adam: decay of the means; FTRL: beta1 is its beta */
    double epsilon;               /* Adam: is added to the root of the mean square */
    double initial_accumulator;   /* AdaGrad: what the sums of a feature start with */
    double clip;                 /* the largest |gradient| of a parameter in a batch, or infinity */
    int64_t batch_size, n_steps; /* at least 1; batches so far, which fastfm_train counts */
    fastfm_state state[2];       /* n_states of the rule; the others are NULL */
    /* (n_features,) of the model's type: the unit of x in which each feature is learned. NULL for 1 each.
     * fastfm_train raises a unit to the largest |x| so far, unless scale_is_fixed. */
    void *scale;
    int scale_is_fixed;
    int l2_in_scale; /* the L2 penalties are those of p * scale, and not of p; not FTRL */
} fastfm_solver;

/* Learns from rows of X, in batches of solver->batch_size: the rows of a batch are scored, their gradients
 * are summed in an order that the batch alone decides, and each touched parameter is updated once.
 *   rows   (n_rows,) row numbers in the order of learning; a row may come more than once
 *   total  *total += sum of weight * loss, where each row is scored before it is learned from
 * A fault ends the call at its batch; the batches before it have been learned from.
 *   BAD_ROW   *bad_row is the entry of `rows` that is not a row of X. No row of the batch has been learned
 *             from, as with BAD_INDEX and BAD_LABEL
 *   DIVERGED  a loss or an updated parameter was not finite. *bad_row is the row whose loss it was, or else
 *             the last row of the batch. Every parameter is still finite: one whose update failed keeps
 *             its value, others may have been updated. After a failed loss no FM has learned from the
 *             batch; an FFM may have, from its other rows */
fastfm_status fastfm_train(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                           const fastfm_model *model, const fastfm_loss *loss,
                           const fastfm_targets *targets, fastfm_solver *solver, double *total,
                           int num_threads, int64_t *bad_row);

/* BAD_LABEL with the first of n_rows targets that the loss does not take from n_outputs outputs. */
fastfm_status fastfm_check_labels(const fastfm_loss *loss, const fastfm_targets *targets,
                                  int64_t n_rows, int64_t n_outputs, int64_t *bad_row);

/* The loss of each row, and d loss / d score. y is (n_rows,); the others are of type `real`:
 *   scores             (n_rows, n_outputs); n_outputs is 1 unless the loss is_multiple
 *   losses, gradients  (n_rows,) and (n_rows, n_outputs), or NULL. BAD_LABEL: up to that row */
fastfm_status fastfm_loss_rows(const fastfm_loss *loss, const void *y, fastfm_type y_type,
                               const void *scores, fastfm_type real, int64_t n_rows,
                               int64_t n_outputs, void *losses, void *gradients, int64_t *bad_row);

/* Probabilities, like scores (n_rows, n_outputs) of type `real`: the sigmoid of each score, or the softmax of
 * each row if the loss is_multiple. */
fastfm_status fastfm_proba(const fastfm_loss *loss, const void *scores, fastfm_type real,
                           int64_t n_rows, int64_t n_outputs, void *proba);

/* The sum of weight * value over n values of type `real`, in the order of fastfm_objective. A value of
 * weight zero does not count, even if it is NaN. weight is (n,), or NULL for 1 each. */
double fastfm_weighted_sum(const double *weight, const void *values, fastfm_type real, int64_t n);

/* Text: lines `label index:value ...`, or with has_fields `label field:index:value ...`, with blanks or commas
 * between, and comments from '#' on. A query behind the label, `qid:7`, is read over. Call fastfm_text_count,
 * then allocate, then fastfm_text_parse. A text block is what a thread parses at a time: whole lines. */
typedef struct {
    int64_t begin, end;           /* its bytes, [begin, end) */
    int64_t line, row, value;     /* lines before it; where its rows and values are written */
    int64_t n_lines, n_rows, nnz; /* upper bounds once counted, exact once parsed */
    int64_t least, largest;       /* the smallest and largest index, less first_index */
    int64_t fault_at;             /* the offset of its first fault, if expected is not NULL */
    const char *expected;         /* what was expected there, or NULL: there is no fault */
} fastfm_text_block;

typedef struct {
    const char *bytes; /* (n_bytes,) whole lines: the last byte is '\n' */
    int64_t n_bytes;
    int has_fields;
    int has_labels; /* 0: y is NaN. -1: as the first row, which has none if its first token has a ':' */
    int64_t first_index, n_features; /* indices are in [first_index, first_index + n_features) */
    int64_t first_value;             /* what row_ends start from: values of earlier texts */
    fastfm_text_block *blocks;       /* (fastfm_text_blocks(n_bytes),) */
    fastfm_type index_type, data_type;
    /* Arrays with room for all.n_rows rows and all.nnz values, which fastfm_text_parse fills. */
    double *y;             /* (n_rows,) the labels, finite; or NaN */
    int64_t *row_ends;     /* (n_rows,) first_value, and the values up to the end of the row */
    int64_t *lines;        /* (n_rows,) the line of each row, from 0 */
    void *indices;         /* (nnz,) of index_type, less first_index */
    void *data;            /* (nnz,) of data_type, finite */
    int32_t *fields;       /* (nnz,); NULL without has_fields */
    fastfm_text_block all; /* the sums over all blocks; begin, row and value are 0 */
} fastfm_text;

int64_t fastfm_text_blocks(int64_t n_bytes); /* of a text; at least 1 */

/* Sets all.n_rows and all.nnz to upper bounds, the room that is needed. BAD_TEXT: no '\n' at the end. */
fastfm_status fastfm_text_count(fastfm_text *text, int num_threads);

/* Parses what fastfm_text_count has counted. Numbers are rounded to the nearest double, then to data_type.
 * BAD_TEXT: all.fault_at and all.expected tell of the first fault. WIDE_INDEX: the text is sound, but
 * needs index_type I64; count and parse it again. */
fastfm_status fastfm_text_parse(fastfm_text *text, int num_threads);

/* The number of the first parsed value whose feature has been in another field, or -1. For each feature field_of
 * has the field, -1 while it has not been seen, and line_of the line where it was, from first_line on. */
int64_t fastfm_text_conflict(const fastfm_text *text, int64_t first_line, int32_t *field_of,
                             int64_t *line_of);

/* Writes rows [begin, end) of X, which is sound and finite, as text. Returns the number of bytes, at most
 * 32 for each row and 64 for each value. y: (n_rows,), finite. fields: (n_features,), or NULL. */
int64_t fastfm_text_write(const fastfm_csr *X, int64_t begin, int64_t end, const double *y,
                          const int32_t *fields, int64_t first_index, char *out);

/* Levels: instruction sets, 0 the baseline of the platform, and on x86-64 1 AVX2 and 2 AVX-512F, with the same
 * bits. fastfm_use_level is for the time of loading. fastfm_n_levels: of this build and this processor. */
int fastfm_n_levels(void);
const char *fastfm_level_name(int level);
void fastfm_use_level(int level);
int fastfm_active_level(void);
const char *fastfm_compiler(void);

/* Threads. All calls share one team, which grows and is never freed. fastfm_init_threads, called once at the
 * time of loading, makes a child of fork() compute on one thread, because it has no team. Where the system
 * starts no more threads, calls use those that there are. fastfm_has_openmp: the date of the OpenMP standard,
 * or 0. fastfm_max_threads honours OMP_NUM_THREADS and the affinity. stack_size: as OpenMP is told, or 0. */
void fastfm_init_threads(int64_t stack_size);
int fastfm_has_openmp(void);
int fastfm_max_threads(void);

#include "fastfm_columns.h"
#include "fastfm_recommend.h"
#include "fastfm_replace.h"
#include "fastfm_vectors.h"

#endif
