/* fastfm, the whole C API: scores, losses, gradients and training of factorization machines over
 * CSR matrices.
 *
 * Arrays are borrowed for the length of a call and never kept. Nothing is printed, no global state
 * is changed, and every function may be called from many threads at once. Offsets are 64-bit.
 * A function that takes rows returns a status and writes the first offending row to *bad_row. */
#ifndef FASTFM_H
#define FASTFM_H

#include <stdint.h>

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

/* Element types. Parameters, scores and gradients are F32 or F64; CSR values likewise; CSR indices
 * I32 or I64; targets any of the five (U8 is NumPy's bool). */
typedef enum { FASTFM_F32, FASTFM_F64, FASTFM_I32, FASTFM_I64, FASTFM_U8 } fastfm_type;

/* indptr has n_rows + 1 entries and indexes indices and data, which have nnz entries; indptr and
 * indices share index_type. Contents are not trusted: the drivers check them. A column that occurs
 * twice in a row counts as one, with the sum of its values. */
typedef struct {
    int64_t n_rows, nnz;
    const void *indptr, *indices, *data;
    fastfm_type index_type, data_type;
} fastfm_csr;

/* What a row x is divided by before it is scored: nothing; its length |x|, as by libffm; or, in the
 * FM of xLearn, its length in the linear part and |x|^2 in the pairs. A row without values other
 * than zero stays as it is. */
typedef enum { FASTFM_AS_IS, FASTFM_INSTANCE, FASTFM_XLEARN } fastfm_normalization;

/* FM when fields is NULL: V is (n_features, n_outputs, n_factors).
 * FFM otherwise: V is (n_features, n_outputs, n_fields, n_factors), fields[j] in [0, n_fields).
 * w0 is (n_outputs,), w is (n_features, n_outputs). All of type `real`, C order. What belongs to a
 * feature lies together, of all outputs. */
typedef struct {
    int64_t n_features, n_fields, n_factors, n_outputs;
    fastfm_type real;
    void *w0, *w, *V; /* only fastfm_train writes */
    const int32_t *fields;
    fastfm_normalization normalization; /* of the rows that are scored and learned from */
    int separates_repeats; /* fastfm_score: repeated columns are values of their own, as for libffm */
} fastfm_model;

/* The losses: name, function <function>_loss in losses/pointwise.h, the targets that it takes
 * (is_<targets>_target there), the same in words, and whether it has several outputs, one score for
 * each class. In the words {last} stands for n_outputs - 1. */
#define FASTFM_LOSS_LIST(X)                           \
    X(SQUARED, squared, finite, "a finite number", 0) \
    X(LOGISTIC, logistic, binary, "0 or 1", 0)        \
    X(SOFTMAX, softmax, class, "an integer class in 0..{last}", 1)

#define FASTFM_LOSS_MEMBER(name, function, targets, expects, is_multiple) FASTFM_##name,
typedef enum { FASTFM_LOSS_LIST(FASTFM_LOSS_MEMBER) FASTFM_N_LOSSES } fastfm_loss_kind;

/* The loss of that function, or -1; then the words and the last column of its line. */
int fastfm_find_loss(const char *function);
const char *fastfm_loss_expects(fastfm_loss_kind kind);
int fastfm_loss_is_multiple(fastfm_loss_kind kind);

typedef struct {
    fastfm_loss_kind kind;
    double label_smoothing;
} fastfm_loss;

/* y: one target per row. weight: one per row, or NULL for all ones; a row of weight zero is as if
 * absent. */
typedef struct {
    const void *y;
    fastfm_type y_type;
    const double *weight;
} fastfm_targets;

/* Where gradients are added: w and V of the model's type and in its layout; w0 is always double:
 * (n_outputs,). is_fresh: w and V are zeros whose pages nobody has touched; the threads then touch
 * them first. */
typedef struct {
    double *w0;
    void *w, *V;
    int is_fresh;
} fastfm_gradient_arrays;

const char *fastfm_status_message(fastfm_status status);

/* scores: (n_rows, n_outputs) of the model's type. Rows are independent: the bits of a score depend
 * on its row and the model alone. */
fastfm_status fastfm_score(const fastfm_csr *X, const fastfm_model *model, void *scores,
                           int num_threads, int64_t *bad_row);

/* Checks X against n_features columns without computing anything. *largest, unless NULL: the largest
 * |x| of its values, repeated ones summed, or NaN if one is; *has_repeats, given with it: whether a
 * row has a column twice. Neither is to be relied on if X is at fault. */
fastfm_status fastfm_check(const fastfm_csr *X, int64_t n_features, double *largest,
                           int *has_repeats, int num_threads, int64_t *bad_row);

/* Copies indices and data of X, which has passed fastfm_check: in each row the values of repeated
 * columns are added to the first of them, and as many explicit zeros come last. */
fastfm_status fastfm_sum_repeats(const fastfm_csr *X, void *indices, void *data);

/* *total += sum over rows of weight * loss. Sums over rows are made in row order, whatever
 * num_threads. To go through X in pieces, give pieces that start at multiples of FASTFM_PIECE_ROWS
 * rows: the bits are the same. */
#define FASTFM_ROW_BLOCK 256
#define FASTFM_PIECE_ROWS 8192
fastfm_status fastfm_objective(const fastfm_csr *X, const fastfm_model *model,
                               const fastfm_loss *loss, const fastfm_targets *targets,
                               double *total, int num_threads, int64_t *bad_row);

/* fastfm_objective, and adds the gradient of that sum over weight_sum to the arrays of gradient. */
fastfm_status fastfm_gradient(const fastfm_csr *X, const fastfm_model *model,
                              const fastfm_loss *loss, const fastfm_targets *targets,
                              double weight_sum, double *total,
                              const fastfm_gradient_arrays *gradient, int num_threads,
                              int64_t *bad_row);

/* The update rules: SUM only adds gradients, for fastfm_gradient. Name, function in kernels/update/rules.inc.h, arrays of state for each
 * parameter (at most 2), the power of the gradient that the first state is a sum or mean of, and
 * whether each row adds an L2 term (1) or the penalty is on the whole parameter, once (0). */
#define FASTFM_RULE_LIST(X)      \
    X(SGD, sgd, 0, 0, 1)         \
    X(ADAGRAD, adagrad, 1, 2, 1) \
    X(ADAM, adam, 2, 1, 1)       \
    X(FTRL, ftrl, 2, 1, 0)       \
    X(SUM, sum, 0, 0, 1)

#define FASTFM_RULE_MEMBER(name, function, n_states, degree, per_row) FASTFM_##name,
typedef enum { FASTFM_RULE_LIST(FASTFM_RULE_MEMBER) FASTFM_N_RULES } fastfm_rule;

/* The rule of that function, or -1, and its arrays of state. */
int fastfm_find_rule(const char *function);
int fastfm_rule_n_states(fastfm_rule rule);

/* The state of a rule, in the shapes of w0, w and V and of the model's type. AdaGrad: sums of
 * squared gradients. Adam: means of gradients, and of their squares. FTRL: z, and sums of squared
 * gradients. */
typedef struct {
    void *w0, *w, *V;
} fastfm_state;

typedef struct {
    fastfm_rule rule;
    double learning_rate;
    double l1_linear, l1_factors; /* FTRL */
    double l2_linear, l2_factors; /* of each row, on the parameters that it touches; FTRL: of all */
    double beta1, beta2;          /* Adam: decay of the means; FTRL: beta1 is its beta */
    double epsilon;               /* Adam */
    double initial_accumulator;   /* AdaGrad: what its sums start with */
    double clip;                  /* largest absolute gradient of a parameter in a batch */
    int64_t batch_size, n_steps;
    fastfm_state state[2];
    void *scale; /* NULL (FTRL), or the largest |x| of each feature so far: the unit of learning */
} fastfm_solver;

/* One pass over n_rows rows of X in the order of `rows`, in batches of solver->batch_size: the rows
 * of a batch are scored, their gradients summed in an order that the batch alone decides, and each
 * touched parameter is updated once. *total += sum of weight * loss, each row scored before it is
 * learned from. The bits do not depend on num_threads. DIVERGED: with the row whose
 * loss, or the last row of the batch whose parameters were not finite; all parameters are as before
 * that update, or finite. An FFM may have learned from other rows of a batch in which a loss is not
 * finite; its labels are looked at before any loss of the batch. */
fastfm_status fastfm_train(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                           const fastfm_model *model, const fastfm_loss *loss,
                           const fastfm_targets *targets, fastfm_solver *solver, double *total,
                           int num_threads, int64_t *bad_row);

/* *sum_of_squares of n values, in a fixed order; with grad not NULL also
 * grad[i] += scale * values[i]. */
fastfm_status fastfm_l2(const void *values, fastfm_type real, int64_t n, double scale, void *grad,
                        int num_threads, double *sum_of_squares);

/* BAD_LABEL with the first of n_rows targets that the loss does not take. */
fastfm_status fastfm_check_labels(const fastfm_loss *loss, const fastfm_targets *targets,
                                  int64_t n_rows, int64_t n_outputs, int64_t *bad_row);

/* Per row loss and d loss / d score; either output may be NULL. scores, losses (n_rows,) and
 * gradients are of type real; scores and gradients are (n_rows, n_outputs), with n_outputs = 1 but
 * for softmax. */
fastfm_status fastfm_loss_rows(const fastfm_loss *loss, const void *y, fastfm_type y_type,
                               const void *scores, fastfm_type real, int64_t n_rows,
                               int64_t n_outputs, void *losses, void *gradients, int64_t *bad_row);

/* Probabilities: sigmoid of each score (logistic) or softmax of each row. */
fastfm_status fastfm_proba(const fastfm_loss *loss, const void *scores, fastfm_type real,
                           int64_t n_rows, int64_t n_outputs, void *proba);

/* sum(weight * value) in a fixed order; a value of weight zero does not count.
 * weight may be NULL. */
double fastfm_weighted_sum(const double *weight, const void *values, fastfm_type real, int64_t n);

/* Text: lines `label index:value ...` or, with has_fields, `label field:index:value ...`, blanks
 * between, comments from '#' on. A block is what a thread parses at a time. */
typedef struct {
    int64_t begin, end;           /* its bytes: whole lines */
    int64_t line, row, value;     /* what comes before it, or more of it */
    int64_t n_lines, n_rows, nnz; /* counted: at most as many rows and values as that */
    int64_t least, largest;       /* index */
    int64_t fault_at;             /* offset of its first fault, where expected is not NULL */
    const char *expected;
} fastfm_text_block;

typedef struct {
    const char *bytes; /* whole lines: the last byte is '\n' */
    int64_t n_bytes;
    int has_fields;
    int64_t first_index, n_features; /* indices are in [first_index, first_index + n_features) */
    int64_t first_value;             /* where the values begin, in row_ends */
    fastfm_text_block *blocks;       /* fastfm_text_blocks(n_bytes) of them */
    fastfm_type index_type, data_type;
    double *y;             /* per row */
    int64_t *row_ends;     /* per row: first_value + values up to its end */
    int64_t *lines;        /* per row: its line, from 0 */
    void *indices;         /* per value, less first_index */
    void *data;            /* per value, finite */
    int32_t *fields;       /* per value; NULL without has_fields */
    fastfm_text_block all; /* of all blocks, once parsed; begin, row and value are 0 */
} fastfm_text;

#define FASTFM_TEXT_BEYOND "an index within n_features" /* expected, for one that is not */

int64_t fastfm_text_blocks(int64_t n_bytes);

/* Sets text->all.n_rows and nnz to numbers that the text does not exceed: the room that
 * fastfm_text_parse needs in the arrays. */
fastfm_status fastfm_text_count(fastfm_text *text, int num_threads);

/* After fastfm_text_count. BAD_TEXT: all.fault_at and all.expected tell of the first fault.
 * WIDE_INDEX: the text is sound, but needs index_type I64. Numbers are rounded to the nearest
 * double, then to data_type. */
fastfm_status fastfm_text_parse(fastfm_text *text, int num_threads);

/* The first of the parsed values whose feature has been in another field, or -1. field_of: for each
 * feature, -1 where it has not been seen; line_of then takes the line, counted from first_line. */
int64_t fastfm_text_conflict(const fastfm_text *text, int64_t first_line, int32_t *field_of,
                             int64_t *line_of);

/* Writes rows [begin, end) of a sound and finite X as text and returns the number of bytes: at most
 * 32 for each row and 64 for each value. fields: per feature, or NULL. */
int64_t fastfm_text_write(const fastfm_csr *X, int64_t begin, int64_t end, const double *y,
                          const int32_t *fields, int64_t first_index, char *out);

/* Instruction set levels. Level 0 always exists; fastfm_use_level is meant for the time of
 * loading. */
int fastfm_n_levels(void); /* compiled in and supported by this processor */
const char *fastfm_level_name(int level);
void fastfm_use_level(int level);
int fastfm_active_level(void);
const char *fastfm_compiler(void);

/* Threads. has_openmp is the OpenMP date (201511 ...) or 0. max_threads honours OMP_NUM_THREADS and
 * affinity. After fork() a child computes serially: GNU OpenMP hangs there. init installs the
 * handler; once. */
void fastfm_init_threads(void);
int fastfm_has_openmp(void);
int fastfm_max_threads(void);

#endif
