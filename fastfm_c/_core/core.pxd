"""The C API of csrc/fastfm.h, as Cython sees it."""
from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t


cdef extern from "fastfm.h" nogil:
    ctypedef enum fastfm_status:
        FASTFM_OK, FASTFM_BAD_INDPTR, FASTFM_BAD_INDEX, FASTFM_REPEATED_COLUMN, FASTFM_BAD_LABEL
        FASTFM_BAD_ROW, FASTFM_DIVERGED, FASTFM_BAD_TEXT, FASTFM_WIDE_INDEX, FASTFM_NO_MEMORY
    ctypedef enum fastfm_type:
        FASTFM_F32, FASTFM_F64, FASTFM_I32, FASTFM_I64, FASTFM_U8
    ctypedef enum fastfm_normalization:
        FASTFM_AS_IS, FASTFM_INSTANCE, FASTFM_XLEARN
    ctypedef enum fastfm_storage:
        FASTFM_AS_REAL, FASTFM_HALF, FASTFM_BYTE
    ctypedef struct fastfm_small:
        fastfm_storage storage
        const float *scale
        const uint16_t *scale_of
        int64_t scale_step
    ctypedef enum fastfm_loss_kind:
        pass
    enum:
        FASTFM_ROW_BLOCK

    ctypedef struct fastfm_csr:
        int64_t n_rows, nnz
        const void *indptr
        const void *indices
        const void *data
        fastfm_type index_type, data_type
    ctypedef struct fastfm_model:
        int64_t n_features, n_fields, n_factors, n_outputs
        fastfm_type real
        void *w0
        void *w
        void *V
        const int32_t *fields
        fastfm_normalization normalization
        int separates_repeats
        fastfm_small small
    ctypedef struct fastfm_loss:
        fastfm_loss_kind kind
        double label_smoothing
    ctypedef struct fastfm_targets:
        const void *y
        fastfm_type y_type
        const double *weight
    ctypedef enum fastfm_content:
        FASTFM_KEPT
        FASTFM_FRESH
        FASTFM_STALE
    ctypedef struct fastfm_gradient_arrays:
        double *w0
        void *w
        void *V
        fastfm_content content

    ctypedef enum fastfm_rule:
        pass
    ctypedef struct fastfm_state:
        void *w0
        void *w
        void *V
    ctypedef struct fastfm_solver:
        fastfm_rule rule
        double learning_rate, l1_linear, l1_factors, l2_linear, l2_factors, beta1, beta2, epsilon
        double initial_accumulator, clip
        int64_t batch_size, n_steps
        fastfm_state state[2]
        void *scale
        int scale_is_fixed, l2_in_scale

    ctypedef struct fastfm_pairs:
        int64_t n, room
        fastfm_type real
        const void *weights
        void *s
        void *y
        int64_t n_pairs
        int64_t *order
        double *sy
        double *yy
        double *sg
        double *yg
        double g_squares

    ctypedef struct fastfm_columns:
        pass
    ctypedef struct fastfm_field_columns:
        pass
    ctypedef struct fastfm_field_facts:
        int64_t n_rows, nnz, n_kinds, n_pairs, n_tables, bytes
    ctypedef struct fastfm_columns_facts:
        int64_t n_rows, nnz, n_colours, n_relations, bytes
        int is_pair

    ctypedef struct fastfm_sampler:
        uint64_t seed
        int64_t iteration
        double alpha
        double *lambda_w
        double *mu_w
        double *lambda_V
        double *mu_V
        int holds_penalties

    ctypedef struct fastfm_text_block:
        int64_t n_lines, n_rows, nnz, least, largest, fault_at
        const char *expected
    ctypedef struct fastfm_text:
        const char *bytes
        int64_t n_bytes
        int has_fields, has_labels
        int64_t first_index, n_features, first_value
        fastfm_text_block *blocks
        fastfm_type index_type, data_type
        double *y
        int64_t *row_ends
        int64_t *lines
        void *indices
        void *data
        int32_t *fields
        fastfm_text_block all

    ctypedef struct fastfm_rows:
        int64_t n_rows
        const int64_t *features
        const void *w0
        const void *w
        const void *V
        const float *scale
    void fastfm_read_begin(int64_t *gate) noexcept
    void fastfm_read_end(int64_t *gate) noexcept
    void fastfm_replace_rows(const fastfm_model *model, int64_t *gate, const fastfm_rows *rows) noexcept

    enum:
        FASTFM_PANEL
    ctypedef struct fastfm_candidates:
        const fastfm_model *model
        int64_t n_candidates, n_slots
        const int32_t *slots
        const int32_t *fields
        const void *panels
        const void *constants

    ctypedef enum fastfm_rank_loss:
        FASTFM_BPR, FASTFM_WARP, FASTFM_SAMPLED_LOGISTIC
    ctypedef struct fastfm_rank_rows:
        int64_t n_rows
        const int64_t *indptr
        const int32_t *indices
        const void *data
    ctypedef struct fastfm_ranking:
        fastfm_rank_rows contexts, items
        const int32_t *context_of
        const int32_t *item_of
        const double *weight
        const int64_t *seen_indptr
        const int32_t *seen
        const int32_t *eligible
        const int32_t *pool
        int64_t n_eligible, n_pool
        fastfm_rank_loss loss
        int has_own_pairs
        int64_t max_tries
        uint64_t seed

    const char *fastfm_status_message(fastfm_status status) noexcept
    int fastfm_find_loss(const char *function) noexcept
    const char *fastfm_loss_expects(fastfm_loss_kind kind) noexcept
    int fastfm_find_rule(const char *function) noexcept
    int fastfm_rule_n_states(fastfm_rule rule) noexcept
    fastfm_status fastfm_score(const fastfm_csr *X, const fastfm_model *model, void *scores,
                               int num_threads, int64_t *bad_row) noexcept
    fastfm_status fastfm_objective(const fastfm_csr *X, const fastfm_model *model,
                                   const fastfm_loss *loss, const fastfm_targets *targets,
                                   double *total, int num_threads, int64_t *bad_row) noexcept
    fastfm_status fastfm_gradient(const fastfm_csr *X, const fastfm_model *model,
                                  const fastfm_loss *loss, const fastfm_targets *targets,
                                  double weight_sum, double *total,
                                  const fastfm_gradient_arrays *gradient, int num_threads,
                                  int64_t *bad_row) noexcept
    fastfm_status fastfm_train(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                               const fastfm_model *model, const fastfm_loss *loss,
                               const fastfm_targets *targets, fastfm_solver *solver,
                               double *total, int num_threads, int64_t *bad_row) noexcept
    fastfm_status fastfm_check(const fastfm_csr *X, int64_t n_features, double *largest,
                               int *has_repeats, int num_threads, int64_t *bad_row) noexcept
    fastfm_status fastfm_sum_repeats(const fastfm_csr *X, void *indices, void *data) noexcept
    fastfm_status fastfm_check_labels(const fastfm_loss *loss, const fastfm_targets *targets,
                                      int64_t n_rows, int64_t n_outputs, int64_t *bad_row) noexcept
    fastfm_status fastfm_l2(const void *values, fastfm_type real, int64_t n, double scale,
                            void *grad, int num_threads, double *sum_of_squares) noexcept
    fastfm_status fastfm_loss_rows(const fastfm_loss *loss, const void *y, fastfm_type y_type,
                                   const void *scores, fastfm_type real, int64_t n_rows,
                                   int64_t n_outputs, void *losses, void *gradients,
                                   int64_t *bad_row) noexcept
    fastfm_status fastfm_proba(const fastfm_loss *loss, const void *scores, fastfm_type real,
                               int64_t n_rows, int64_t n_outputs, void *proba) noexcept
    double fastfm_weighted_sum(const double *weight, const void *values, fastfm_type real,
                               int64_t n) noexcept
    int64_t fastfm_n_terms(const fastfm_candidates *candidates) noexcept
    fastfm_status fastfm_reduce(const fastfm_csr *X, const fastfm_candidates *candidates,
                                int is_context, void *sums, void *linear, int num_threads) noexcept
    fastfm_status fastfm_candidate_scores(const fastfm_csr *X, const fastfm_candidates *candidates,
                                          const void *own, void *scores, int num_threads) noexcept
    fastfm_status fastfm_top_k(const fastfm_csr *X, const fastfm_candidates *candidates,
                               const void *own, int64_t k, const fastfm_csr *excluded,
                               int64_t *indices, void *scores, int num_threads) noexcept
    fastfm_status fastfm_rank(const fastfm_ranking *ranking, const fastfm_model *model,
                              fastfm_solver *solver, int64_t epoch, const int64_t *order, int64_t n,
                              double *total, int num_threads) noexcept
    fastfm_status fastfm_pairs_add(fastfm_pairs *pairs, const void *x, const void *x_new,
                                   const void *g, const void *g_new, int num_threads) noexcept
    fastfm_status fastfm_pairs_direction(const fastfm_pairs *pairs, const void *g, void *d,
                                         int num_threads, double *slope) noexcept
    fastfm_status fastfm_dot(const void *a, const void *b, fastfm_type real, int64_t n,
                             int num_threads, double *product) noexcept
    void fastfm_step(const void *x, double length, const void *d, fastfm_type real, int64_t n,
                     int num_threads, void *out) noexcept
    fastfm_status fastfm_columns_open(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                                      const fastfm_model *model, const fastfm_loss *loss,
                                      const fastfm_targets *targets, fastfm_columns **columns,
                                      int num_threads, int64_t *bad_row) noexcept
    void fastfm_columns_close(fastfm_columns *columns) noexcept
    void fastfm_columns_begin(fastfm_columns *columns, double l2_linear, double l2_factors,
                              int has_sweep) noexcept
    fastfm_status fastfm_columns_go_on(fastfm_columns *columns, int num_threads, int *is_done,
                                       int64_t *bad_row) noexcept
    fastfm_status fastfm_columns_objective(const fastfm_columns *columns, double *objective,
                                           int num_threads) noexcept
    fastfm_status fastfm_columns_set_groups(fastfm_columns *columns, const int32_t *groups,
                                            int64_t n_groups) noexcept
    void fastfm_columns_begin_sample(fastfm_columns *columns, const fastfm_sampler *sampler) noexcept
    void fastfm_columns_read_sample(const fastfm_columns *columns, fastfm_sampler *sampler) noexcept
    void fastfm_columns_read(const fastfm_columns *columns, const fastfm_model *model) noexcept
    fastfm_columns_facts fastfm_columns_plan(const fastfm_columns *columns) noexcept
    fastfm_status fastfm_field_columns_open(const fastfm_csr *X, const int64_t *rows, int64_t n_rows,
                                            const fastfm_model *model, const fastfm_loss *loss,
                                            const fastfm_targets *targets,
                                            fastfm_field_columns **columns, int num_threads,
                                            int64_t *bad_row) noexcept
    void fastfm_field_columns_close(fastfm_field_columns *columns) noexcept
    void fastfm_field_columns_begin(fastfm_field_columns *columns, double l2_linear, double l2_factors,
                                    int has_sweep) noexcept
    fastfm_status fastfm_field_columns_go_on(fastfm_field_columns *columns, int num_threads,
                                             int *is_done, int64_t *bad_row) noexcept
    fastfm_status fastfm_field_columns_objective(const fastfm_field_columns *columns,
                                                 double *objective, int num_threads) noexcept
    void fastfm_field_columns_read(const fastfm_field_columns *columns,
                                   const fastfm_model *model) noexcept
    fastfm_field_facts fastfm_field_columns_plan(const fastfm_field_columns *columns) noexcept
    int64_t fastfm_text_blocks(int64_t n_bytes) noexcept
    fastfm_status fastfm_text_count(fastfm_text *text, int num_threads) noexcept
    fastfm_status fastfm_text_parse(fastfm_text *text, int num_threads) noexcept
    int64_t fastfm_text_conflict(const fastfm_text *text, int64_t first_line, int32_t *field_of,
                                 int64_t *line_of) noexcept
    int64_t fastfm_text_write(const fastfm_csr *X, int64_t begin, int64_t end, const double *y,
                              const int32_t *fields, int64_t first_index, char *out) noexcept
    int fastfm_n_levels() noexcept
    const char *fastfm_level_name(int level) noexcept
    void fastfm_use_level(int level) noexcept
    int fastfm_active_level() noexcept
    const char *fastfm_compiler() noexcept
    void fastfm_init_threads(int64_t stack_size) noexcept
    int fastfm_has_openmp() noexcept
    int fastfm_max_threads() noexcept
