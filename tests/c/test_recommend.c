/* Candidates and ranking: memory of exactly its size, all types, levels and numbers of threads; the best are
 * those of a plain sort, and ranking gives the same bits however it is computed. */
#include <math.h>
#include <stdlib.h>

#include "tests.h"

enum { N_FEATURES = 30, HALF = 15, N_CONTEXTS = 21, N_CANDIDATES = 150, K_TOP = 9 };

/* Rows over columns [first, first + HALF), of up to 10 values. */
static matrix random_rows(int64_t n, int64_t first)
{
    matrix rows = matrix_new(N_FEATURES);
    for (int64_t i = 0; i < n; i++) {
        const int64_t z = random_below(11), from = random_below(HALF - z + 1);
        for (int64_t p = 0; p < z; p++)
            matrix_add(&rows, first + from + p, random_below(5) ? random_real() : 0);
        matrix_end_row(&rows);
    }
    return rows;
}

typedef struct {
    model m;
    fastfm_csr contexts, items, excluded;
    int32_t *slots, *fields;
    void *panels, *constants, *own;
    fastfm_candidates c;
} setting;

static void setting_make(setting *made, kind type)
{
    matrix contexts = random_rows(N_CONTEXTS, 0), items = random_rows(N_CANDIDATES, HALF);
    matrix excluded = matrix_new(N_CANDIDATES);
    setting s = {.m = model_random(N_FEATURES, type.n_fields, type.k, 1, type.real)};
    const int64_t n_panels = (N_CANDIDATES + FASTFM_PANEL - 1) / FASTFM_PANEL;
    int64_t bad_row, n;
    for (int64_t i = 0; i < N_CONTEXTS; i++, matrix_end_row(&excluded))
        for (int64_t j = random_below(9); j < N_CANDIDATES; j += 1 + random_below(9))
            matrix_add(&excluded, j, 1);
    s.contexts = csr_of(&contexts, type.index, type.data);
    s.items = csr_of(&items, type.index, type.data);
    s.excluded = csr_of(&excluded, type.index, FASTFM_F32);
    s.slots = (int32_t *)exactly(type.n_fields, 4);
    s.fields = (int32_t *)exactly(type.n_fields, 4);
    for (int32_t a = 0; a < type.n_fields; a++)
        s.slots[a] = s.fields[a] = a;
    s.c.n_candidates = N_CANDIDATES;
    s.c.n_slots = type.n_fields ? type.n_fields : 1;
    s.c.slots = s.slots;
    s.c.fields = s.fields;
    s.c.model = &made->m.c;
    made->m = s.m;
    n = n_panels * FASTFM_PANEL;
    s.panels = exactly(n * fastfm_n_terms(&s.c), type_size(type.real));
    memset(s.panels, 0, (size_t)(n * fastfm_n_terms(&s.c) * type_size(type.real)));
    s.constants = exactly(n, type_size(type.real));
    for (int64_t i = 0; i < n; i++)
        set_real(s.constants, type.real, i, -INFINITY);
    s.own = exactly(N_CONTEXTS, type_size(type.real));
    s.c.panels = s.panels;
    s.c.constants = s.constants;
    CHECK(fastfm_reduce(&s.items, &s.c, 0, s.panels, s.constants, 1) == FASTFM_OK);
    CHECK(fastfm_score(&s.items, &s.m.c, s.constants, 1, &bad_row) == FASTFM_OK);
    CHECK(fastfm_score(&s.contexts, &s.m.c, s.own, 1, &bad_row) == FASTFM_OK);
    matrix_free(&contexts), matrix_free(&items), matrix_free(&excluded);
    *made = s;
}

static void setting_free(setting *s)
{
    model_free(&s->m);
    csr_free(&s->contexts), csr_free(&s->items), csr_free(&s->excluded);
    free(s->slots), free(s->fields), free(s->panels), free(s->constants), free(s->own);
}

static int is_excluded(const fastfm_csr *excluded, int64_t i, int64_t j)
{
    const int64_t end = get_index(excluded->indptr, excluded->index_type, i + 1);
    for (int64_t p = get_index(excluded->indptr, excluded->index_type, i); p < end; p++)
        if (get_index(excluded->indices, excluded->index_type, p) == j)
            return 1;
    return 0;
}

/* Whether the best of context i are what a plain search finds in its scores. */
static void check_best(const setting *s, const void *all, const int64_t *indices,
                       const void *scores, int64_t i)
{
    char taken[N_CANDIDATES] = {0};
    const fastfm_type real = s->m.c.real;
    for (int64_t rank = 0; rank < K_TOP; rank++) {
        int64_t best = -1;
        for (int64_t j = 0; j < N_CANDIDATES; j++)
            if (!taken[j] && !is_excluded(&s->excluded, i, j) &&
                (best < 0 || get_real(all, real, i * N_CANDIDATES + j) >
                                 get_real(all, real, i * N_CANDIDATES + best)))
                best = j;
        CHECK(indices[i * K_TOP + rank] == best);
        CHECK(get_real(scores, real, i * K_TOP + rank) ==
              get_real(all, real, i * N_CANDIDATES + best));
        taken[best] = 1;
    }
}

static void test_candidates(kind type)
{
    setting s;
    const int64_t size = type_size(type.real), n_all = N_CONTEXTS * N_CANDIDATES;
    void *first = exactly(n_all, size), *all = exactly(n_all, size);
    void *scores = exactly(N_CONTEXTS * K_TOP, size);
    int64_t *indices = (int64_t *)exactly(N_CONTEXTS * K_TOP, 8);
    const int level = fastfm_active_level();
    setting_make(&s, type);
    for (int l = 0; l < fastfm_n_levels(); l++)
        for (int threads = 1; threads <= 3; threads += 2) {
            fastfm_use_level(l);
            CHECK(fastfm_candidate_scores(&s.contexts, &s.c, s.own, l + threads == 1 ? first : all,
                                          threads) == FASTFM_OK);
            CHECK(l + threads == 1 || same_bytes(first, all, n_all * size));
            CHECK(fastfm_top_k(&s.contexts, &s.c, s.own, K_TOP, &s.excluded, indices, scores,
                               threads) == FASTFM_OK);
            for (int64_t i = 0; i < N_CONTEXTS; i++)
                check_best(&s, first, indices, scores, i);
        }
    fastfm_use_level(level);
    free(first), free(all), free(scores), free(indices);
    setting_free(&s);
}

/* ---------------------------------------------------------------------------------- ranking */

enum { N_ITEMS = 40, N_USERS = 25, N_ENTRIES = 200 };

/* Rows of one value of 1, or of 1 to 4 values, in exactly their memory. */
static fastfm_rank_rows rank_rows(int64_t n, int64_t first, int is_identity, fastfm_type real)
{
    int64_t *indptr = (int64_t *)exactly(n + 1, 8);
    int32_t *indices;
    void *data;
    indptr[0] = 0;
    for (int64_t i = 0; i < n; i++)
        indptr[i + 1] = indptr[i] + (is_identity ? 1 : 1 + random_below(4));
    indices = (int32_t *)exactly(indptr[n], 4);
    data = exactly(indptr[n], type_size(real));
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = indptr[i]; p < indptr[i + 1]; p++) {
            indices[p] = (int32_t)(first + (i + p - indptr[i]) % HALF);
            set_real(data, real, p, is_identity ? 1 : random_real());
        }
    return (fastfm_rank_rows){n, indptr, indices, data};
}

static void rank_rows_free(fastfm_rank_rows *rows)
{
    free((void *)(uintptr_t)rows->indptr);
    free((void *)(uintptr_t)rows->indices);
    free((void *)(uintptr_t)rows->data);
}

/* Every user sees every third item or so; user 0 has seen all. The entries are those, shortened. */
static int64_t see(int64_t *indptr, int32_t *seen, int32_t *context_of)
{
    int64_t n = 0;
    for (int32_t u = 0; u < N_USERS; u++) {
        indptr[u] = n;
        for (int32_t i = 0; i < N_ITEMS; i++)
            if (u == 0 || (i + u) % 3 == 0) {
                context_of[n] = u;
                seen[n++] = i;
            }
    }
    indptr[N_USERS] = n;
    return n;
}

static void run_ranking(const fastfm_ranking *ranking, model *m, fastfm_type real, int batch,
                        int threads, double *total)
{
    int64_t order[N_ENTRIES];
    fastfm_solver solver = {.rule = FASTFM_SGD,
                            .learning_rate = 0.05,
                            .l2_factors = 0.01,
                            .clip = INFINITY,
                            .batch_size = batch};
    for (int64_t e = 0; e < N_ENTRIES; e++)
        order[e] = (7 * e) % N_ENTRIES;
    *total = 0;
    (void)real;
    for (int epoch = 1; epoch <= 2; epoch++)
        CHECK(fastfm_rank(ranking, &m->c, &solver, epoch, order, N_ENTRIES, total, threads) ==
              FASTFM_OK);
}

static void test_ranking(kind type, fastfm_rank_loss loss, int is_identity, int has_own_pairs)
{
    int64_t indptr[N_USERS + 1];
    int32_t seen[N_USERS * N_ITEMS], context_of[N_USERS * N_ITEMS], items[N_ITEMS];
    const int64_t size = type_size(type.real) * N_FEATURES * type.k;
    const uint64_t seed = random_state;
    const int level = fastfm_active_level();
    void *expected = NULL;
    double first_total = 0, total;
    fastfm_ranking ranking = {
        .loss = loss, .has_own_pairs = has_own_pairs, .max_tries = 5, .seed = 3};
    CHECK(see(indptr, seen, context_of) >= N_ENTRIES);
    for (int32_t i = 0; i < N_ITEMS; i++)
        items[i] = i;
    ranking.contexts = rank_rows(N_USERS, 0, is_identity, type.real);
    ranking.items = rank_rows(N_ITEMS, HALF, is_identity, type.real);
    ranking.context_of = context_of;
    ranking.item_of = ranking.seen = seen;
    ranking.seen_indptr = indptr;
    ranking.eligible = ranking.pool = items;
    ranking.n_eligible = ranking.n_pool = N_ITEMS;
    for (int l = 0; l < fastfm_n_levels(); l++)
        for (int threads = 1; threads <= 3; threads++) {
            random_state = seed;
            model m = model_random(N_FEATURES, 0, type.k, 1, type.real);
            fastfm_use_level(l);
            run_ranking(&ranking, &m, type.real, 64, threads, &total);
            CHECK(total - total == 0 && total > 0);
            if (!expected) {
                expected = exactly(size, 1);
                memcpy(expected, m.c.V, (size_t)size);
                first_total = total;
            }
            CHECK(same_bytes(expected, m.c.V, size));
            CHECK(same_value(total, first_total));
            model_free(&m);
        }
    fastfm_use_level(level);
    free(expected);
    rank_rows_free(&ranking.contexts), rank_rows_free(&ranking.items);
}

void test_recommend(void)
{
    static const int64_t factors[] = {1, 4, 7, 16, 33};
    for (int64_t i = 0; i < 32; i++)
        for (int64_t f = 0; f < COUNT(factors); f++) {
            const kind type = kind_of(i, factors[f]);
            if (type.n_outputs > 1)
                continue;
            CASE("candidates %d, k = %d", (int)i, (int)type.k);
            test_candidates(type);
        }
    for (int loss = 0; loss < 3; loss++)
        for (int way = 0; way < 4; way++)
            for (int64_t f = 0; f < COUNT(factors); f++) {
                kind type = kind_of(0, factors[f]);
                type.real = f % 2 ? FASTFM_F64 : FASTFM_F32;
                CASE("ranking, loss %d, way %d, k = %d", loss, way, (int)type.k);
                test_ranking(type, (fastfm_rank_loss)loss, way & 1, way >> 1);
            }
}
