/* Candidates and ranking. The interface has checked their rows, so these do not lie; their sizes, values and
 * options are whatever the interface lets through. */
#include "fuzz_core.h"

#include <math.h>
#include <stdlib.h>

enum { HALF = 12, N_FEATURES = 2 * HALF };

/* Rows over columns [first, first + HALF), ascending; some are one value of 1. */
static matrix rows_from(input *in, int64_t n, int64_t first, int is_finite)
{
    const int are_columns = (int)input_below(in, 2);
    matrix rows = matrix_new(N_FEATURES);
    for (int64_t i = 0; i < n; i++) {
        if (are_columns)
            matrix_add(&rows, first + (i + input_below(in, 2)) % HALF, 1);
        for (int64_t j = input_below(in, HALF + 1); !are_columns && j < HALF;
             j += 1 + input_below(in, HALF)) {
            const double x = input_real(in);
            matrix_add(&rows, first + j, is_finite && !(fabs(x) < 100) ? 1 : x);
        }
        matrix_end_row(&rows);
    }
    return rows;
}

static model model_from(input *in, int64_t n_fields, int is_finite)
{
    static const int64_t k[] = {1, 2, 3, 5, 8, 16, 17, 33};
    const fastfm_type real = input_type(in, FASTFM_F32, FASTFM_F64);
    random_state = input_bits(in, 1);
    model m = model_random(N_FEATURES, n_fields, k[input_below(in, COUNT(k))], 1, real);
    for (int64_t i = is_finite ? 0 : input_below(in, 4); i > 0; i--)
        set_real(m.c.V, real, input_below(in, N_FEATURES), input_real(in));
    return m;
}

/* ---------------------------------------------------------------------------------- candidates */

typedef struct {
    model m;
    fastfm_csr contexts, items, excluded;
    int32_t fields[8];
    void *panels, *constants, *own, *all; /* all: the scores */
    fastfm_candidates c;
} candidates;

static candidates candidates_from(input *in, int64_t n_contexts, int64_t n_items)
{
    const int64_t n_fields = input_below(in, 2) ? 1 + input_below(in, 5) : 0;
    candidates s = {.m = model_from(in, n_fields, 0)};
    matrix contexts = rows_from(in, n_contexts, 0, 0), items = rows_from(in, n_items, HALF, 0);
    matrix excluded = matrix_new(n_items);
    const fastfm_type index = input_type(in, FASTFM_I32, FASTFM_I64);
    const fastfm_type data = input_type(in, FASTFM_F32, FASTFM_F64);
    const int64_t size = type_size(s.m.c.real);
    for (int64_t i = 0; i < n_contexts; i++, matrix_end_row(&excluded))
        for (int64_t j = input_below(in, 20); j < n_items; j += 1 + input_below(in, 20))
            matrix_add(&excluded, j, 1);
    s.contexts = csr_of(&contexts, index, data);
    s.items = csr_of(&items, index, data);
    s.excluded = csr_of(&excluded, index, FASTFM_F32);
    for (int32_t a = 0; a < 8; a++)
        s.fields[a] = a;
    s.c.n_candidates = n_items;
    s.c.n_slots = n_fields ? n_fields : 1;
    s.own = exactly(n_contexts, size);
    s.all = exactly(n_contexts * n_items, size);
    matrix_free(&contexts), matrix_free(&items), matrix_free(&excluded);
    return s;
}

static void reduce(candidates *s)
{
    const int64_t n = (s->c.n_candidates + FASTFM_PANEL - 1) / FASTFM_PANEL * FASTFM_PANEL;
    const fastfm_type real = s->m.c.real;
    int64_t bad_row;
    s->c.model = &s->m.c;
    s->c.slots = s->c.fields = s->fields;
    s->panels = exactly(n * fastfm_n_terms(&s->c), type_size(real));
    memset(s->panels, 0, (size_t)(n * fastfm_n_terms(&s->c) * type_size(real)));
    s->constants = exactly(n, type_size(real));
    for (int64_t i = 0; i < n; i++)
        set_real(s->constants, real, i, -INFINITY);
    s->c.panels = s->panels;
    s->c.constants = s->constants;
    CHECK(fastfm_reduce(&s->items, &s->c, 0, s->panels, s->constants, 1) == FASTFM_OK);
    CHECK(fastfm_score(&s->items, &s->m.c, s->constants, 1, &bad_row) == FASTFM_OK);
    CHECK(fastfm_score(&s->contexts, &s->m.c, s->own, 1, &bad_row) == FASTFM_OK);
    CHECK(fastfm_candidate_scores(&s->contexts, &s->c, s->own, s->all, 1) == FASTFM_OK);
}

static int is_excluded(const fastfm_csr *excluded, int64_t i, int64_t j)
{
    const int64_t end = get_index(excluded->indptr, excluded->index_type, i + 1);
    for (int64_t p = get_index(excluded->indptr, excluded->index_type, i); p < end; p++)
        if (get_index(excluded->indices, excluded->index_type, p) == j)
            return 1;
    return 0;
}

/* The k best of context i, by a plain search. */
static void check_best(const candidates *s, int64_t i, int64_t k, const int64_t *indices,
                       const void *scores)
{
    const fastfm_type real = s->m.c.real;
    const int64_t n = s->c.n_candidates;
    char *taken = (char *)calloc((size_t)n + 1, 1);
    for (int64_t rank = 0; taken && rank < k; rank++) {
        int64_t best = -1;
        double highest = -INFINITY;
        for (int64_t j = 0; j < n; j++)
            if (!taken[j] && !is_excluded(&s->excluded, i, j) &&
                get_real(s->all, real, i * n + j) > highest) {
                best = j;
                highest = get_real(s->all, real, i * n + j);
            }
        CHECK(indices[i * k + rank] == best);
        CHECK(get_real(scores, real, i * k + rank) == highest);
        taken[best < 0 ? n : best] = 1;
    }
    free(taken);
}

void fuzz_candidates(input *in)
{
    const int num_threads = input_threads(in);
    const int64_t n_contexts = input_below(in, 20), n_items = input_below(in, 80);
    const int64_t k = 1 + input_below(in, 100), n_all = n_contexts * n_items;
    candidates s = candidates_from(in, n_contexts, n_items);
    const int64_t size = type_size(s.m.c.real);
    int64_t *indices = (int64_t *)exactly(n_contexts * k, 8);
    void *scores = exactly(n_contexts * k, size), *again = exactly(n_all, size);
    reduce(&s);
    fastfm_use_level((int)input_below(in, fastfm_n_levels()));
    CHECK(fastfm_candidate_scores(&s.contexts, &s.c, s.own, again, num_threads) == FASTFM_OK);
    CHECK(same_reals(s.all, again, s.m.c.real, n_all));
    CHECK(fastfm_top_k(&s.contexts, &s.c, s.own, k, &s.excluded, indices, scores, num_threads) ==
          FASTFM_OK);
    for (int64_t i = 0; i < n_contexts; i++)
        check_best(&s, i, k, indices, scores);
    csr_free(&s.contexts), csr_free(&s.items), csr_free(&s.excluded);
    free(s.panels), free(s.constants), free(s.own), free(s.all);
    free(indices), free(scores), free(again);
    model_free(&s.m);
}

/* ------------------------------------------------------------------------------------- ranking */

enum { N_USERS = 9, N_ITEMS = 20, MOST_ENTRIES = N_USERS * N_ITEMS };

typedef struct {
    fastfm_csr users, items;
    int32_t user_of[MOST_ENTRIES], item_of[MOST_ENTRIES], eligible[N_ITEMS];
    int64_t indptr[N_USERS + 1];
    double weight[MOST_ENTRIES];
    fastfm_ranking c;
} interactions;

static fastfm_rank_rows rank_rows(const fastfm_csr *X)
{
    return (fastfm_rank_rows){X->n_rows, (const int64_t *)X->indptr, (const int32_t *)X->indices,
                              X->data};
}

/* What csr_of makes, with indptr of 64 bits and indices of 32. */
static fastfm_csr rows_of_rank(const matrix *rows, fastfm_type real)
{
    fastfm_csr X = csr_of(rows, FASTFM_I32, real);
    int64_t *indptr = (int64_t *)exactly(rows->n_rows + 1, 8);
    for (int64_t i = 0; i <= rows->n_rows; i++)
        indptr[i] = get_index(X.indptr, FASTFM_I32, i);
    free((void *)(uintptr_t)X.indptr);
    X.indptr = indptr;
    return X;
}

/* Every user has seen some items; the entries are all of that. */
static void see(input *in, interactions *made)
{
    char is_seen[N_ITEMS] = {0};
    int64_t n = 0;
    for (int32_t u = 0; u < N_USERS; u++) {
        const int64_t step = 1 + input_below(in, 6);
        made->indptr[u] = n;
        for (int64_t i = input_below(in, N_ITEMS + 1); i < N_ITEMS; i += step) {
            made->user_of[n] = u;
            made->weight[n] = (double)input_below(in, 4) / 2;
            made->item_of[n++] = (int32_t)i;
            is_seen[i] = 1;
        }
    }
    made->indptr[N_USERS] = n;
    made->c.n_eligible = 0;
    for (int32_t i = 0; i < N_ITEMS; i++)
        if (is_seen[i])
            made->eligible[made->c.n_eligible++] = i;
}

static void interactions_from(input *in, interactions *made, fastfm_type real)
{
    matrix users = rows_from(in, N_USERS, 0, 1), items = rows_from(in, N_ITEMS, HALF, 1);
    fastfm_ranking *c = &made->c;
    made->users = rows_of_rank(&users, real);
    made->items = rows_of_rank(&items, real);
    see(in, made);
    c->contexts = rank_rows(&made->users);
    c->items = rank_rows(&made->items);
    c->context_of = made->user_of;
    c->item_of = c->seen = made->item_of;
    c->weight = input_below(in, 2) ? made->weight : NULL;
    c->seen_indptr = made->indptr;
    c->eligible = made->eligible;
    c->pool = input_below(in, 2) ? made->item_of : made->eligible;
    c->n_pool = c->pool == made->eligible ? c->n_eligible : made->indptr[N_USERS];
    c->loss = (fastfm_rank_loss)input_below(in, 3);
    c->has_own_pairs = (int)input_below(in, 2);
    c->max_tries = 1 + input_below(in, 12);
    c->seed = input_bits(in, 8);
    matrix_free(&users), matrix_free(&items);
}

static void rank_twice(learner *L, const interactions *data, const int64_t *order, int64_t n,
                       int num_threads)
{
    L->status = FASTFM_OK;
    for (int64_t epoch = 1; epoch <= 2 && L->status == FASTFM_OK; epoch++)
        L->status =
            fastfm_rank(&data->c, &L->m.c, &L->solver, epoch, order, n, &L->total, num_threads);
}

void fuzz_ranking(input *in)
{
    const int num_threads = input_threads(in);
    fastfm_solver options = solver_from(in);
    problem P = {.m = model_from(in, 0, 1)};
    const int64_t n = input_below(in, 100);
    int64_t *order = (int64_t *)exactly(n, 8);
    interactions data;
    learner L, other;
    memset(&data, 0, sizeof data);
    interactions_from(in, &data, P.m.c.real);
    L = learner_new(&P, &options, 0);
    other = learner_new(&P, &options, 0);
    for (int64_t e = 0; e < n && data.indptr[N_USERS] > 0; e++)
        order[e] = input_below(in, data.indptr[N_USERS]);
    if (data.c.n_eligible > 0) {
        rank_twice(&L, &data, order, n, num_threads);
        fastfm_use_level(0);
        rank_twice(&other, &data, order, n, 1);
        learner_is_finite(&L);
        CHECK(L.status == other.status && (L.status == FASTFM_OK || L.status == FASTFM_DIVERGED));
        CHECK(same_learners(&L, &other));
    }
    learner_free(&L), learner_free(&other);
    csr_free(&data.users), csr_free(&data.items);
    free(order);
    model_free(&P.m);
}
