/* The order in which the gradients of a batch are summed: an FFM's in row order inside a row block, then
 * block by block; an FM's in row order. The other tests compare one sum of the library with another, so
 * they would not see an order that is another one everywhere.
 *
 * Here nothing but these sums is rounded. A row has one feature of field 0 and one of field 1. The values
 * of X and the entries of V are powers of two, with either sign. V[j, :] has one entry that is not zero,
 * the first in field 0 and the last in field 1, and w0 and w are 0: so every score is 0, and the
 * gradient of the row is
 *
 *     -y x_i  for w[i],     -y x_i x_j V[j, f]  for V[i, f] (FFM: V[i, fields[j], f]),
 *
 * which is exact. SGD with a learning rate of 1 then takes the sum from the parameter. */
#include <math.h>
#include <stdlib.h>

#include "learner.h"
#include "row_blocks.h"
#include "tests.h"

enum { N_FEATURES = 60, N_ROWS = 17000 };

/* +-2^e, e in -3..0. */
static double random_power(void) { return ldexp(random_below(2) ? 1 : -1, -(int)random_below(4)); }

static matrix pairs_of_features(void)
{
    matrix rows = matrix_new(N_FEATURES);
    for (int64_t i = 0; i < N_ROWS; i++) {
        const int64_t field = random_below(2);
        for (int64_t a = 0; a < 2; a++)
            matrix_add(&rows, 2 * random_below(N_FEATURES / 2) + (field ^ a), random_power());
        matrix_end_row(&rows);
    }
    return rows;
}

/* The place in V of factor f of feature j against field b. */
static int64_t place(const fastfm_model *m, int64_t j, int64_t b, int64_t f)
{
    return j * model_block(m) + (m->fields ? b * m->n_factors : 0) + f;
}

/* The factor of the features of a field that is not zero. */
static int64_t own_factor(const fastfm_model *m, int64_t field)
{
    return field ? m->n_factors - 1 : 0;
}

static problem exact_problem(const matrix *rows, kind type)
{
    const int64_t real = type_size(type.real);
    problem P = {.X = csr_of(rows, type.index, type.data), .loss = {.kind = FASTFM_SQUARED}};
    fastfm_model *m = &P.m.c;
    void *y = exactly(N_ROWS, real);
    P.m = model_random(N_FEATURES, type.n_fields, type.k, 1, type.real);
    memset(m->w0, 0, (size_t)real);
    memset(m->w, 0, (size_t)(N_FEATURES * real));
    memset(m->V, 0, (size_t)(N_FEATURES * model_block(m) * real));
    for (int64_t j = 0; j < N_FEATURES; j++) {
        if (m->fields)
            ((int32_t *)(uintptr_t)m->fields)[j] = (int32_t)(j % 2);
        for (int64_t b = 0; b < (m->fields ? 2 : 1); b++)
            set_real(m->V, m->real, place(m, j, b, own_factor(m, j % 2)), random_power());
    }
    for (int64_t i = 0; i < N_ROWS; i++)
        set_real(y, type.real, i, random_real());
    P.targets = (fastfm_targets){y, type.real, NULL};
    return P;
}

/* Sums of the model's type, for w (N_FEATURES,) and for V (N_FEATURES, block). */
typedef struct {
    int64_t n;
    fastfm_type real;
    double *values;
} sums;

static sums sums_new(const fastfm_model *m)
{
    sums s = {.n = N_FEATURES * (1 + model_block(m)), .real = m->real};
    s.values = (double *)exactly(s.n, 8);
    memset(s.values, 0, sizeof(double) * (size_t)s.n);
    return s;
}

static void add(const sums *s, int64_t place_of_sum, double term)
{
    const double sum = s->values[place_of_sum] + term;
    s->values[place_of_sum] = s->real == FASTFM_F32 ? (double)(float)sum : sum;
}

/* Adds the gradient of a row, without its sign. */
static void add_row(const sums *s, const problem *P, int64_t row)
{
    const fastfm_model *m = &P->m.c;
    const double y = get_real(P->targets.y, m->real, row);
    for (int64_t a = 0; a < 2; a++) {
        const int64_t i = get_index(P->X.indices, P->X.index_type, 2 * row + a);
        const int64_t j = get_index(P->X.indices, P->X.index_type, 2 * row + 1 - a);
        const double x_i = get_real(P->X.data, P->X.data_type, 2 * row + a);
        const double x_j = get_real(P->X.data, P->X.data_type, 2 * row + 1 - a);
        const int64_t f = own_factor(m, j % 2);
        add(s, i, y * x_i);
        add(s, N_FEATURES + place(m, i, j % 2, f),
            y * x_i * x_j * get_real(m->V, m->real, place(m, j, i % 2, f)));
    }
}

/* The sums of all rows: of each block, and these in the order of blocks, or backwards. */
static sums summed(const problem *P, const int64_t *begin, int64_t n_blocks, int backwards)
{
    const sums total = sums_new(&P->m.c);
    for (int64_t n = 0; n < n_blocks; n++) {
        const int64_t block = backwards ? n_blocks - 1 - n : n;
        const sums of_block = sums_new(&P->m.c);
        for (int64_t row = begin[block]; row < begin[block + 1]; row++)
            add_row(&of_block, P, row);
        for (int64_t p = 0; p < total.n; p++)
            add(&total, p, of_block.values[p]);
        free(of_block.values);
    }
    return total;
}

/* Parameters of the learner that are not those of the problem and the sums. */
static int64_t n_wrong(const learner *L, const problem *P, const sums *expected)
{
    const fastfm_model *before = &P->m.c, *after = &L->m.c;
    const sums s = sums_new(before);
    int64_t n = 0;
    for (int64_t p = 0; p < s.n; p++) {
        const int is_w = p < N_FEATURES;
        const int64_t at = is_w ? p : p - N_FEATURES;
        s.values[p] = get_real(is_w ? before->w : before->V, before->real, at);
        add(&s, p, expected->values[p]);
        n += !same_value(s.values[p], get_real(is_w ? after->w : after->V, after->real, at));
    }
    free(s.values);
    return n;
}

static void test_order(const problem *P, const sums *expected, const int64_t *rows)
{
    fastfm_solver options = solver_of(FASTFM_SGD);
    options.learning_rate = 1;
    options.batch_size = N_ROWS;
    for (int level = 0; level < fastfm_n_levels(); level++) {
        for (int num_threads = 1; num_threads <= (fastfm_has_openmp() ? 3 : 1); num_threads++) {
            learner L;
            fastfm_use_level(level);
            L = learner_new(P, &options, 0);
            learner_pass(&L, P, rows, N_ROWS, num_threads);
            CHECK(L.status == FASTFM_OK);
            CHECK(n_wrong(&L, P, expected) == 0);
            learner_free(&L);
        }
    }
}

static void test_problem(const matrix *rows, kind type)
{
    problem P = exact_problem(rows, type);
    int64_t *begin = (int64_t *)exactly(2 * N_ROWS + 1, 8), *order = begin + N_ROWS + 1;
    int64_t n_blocks = row_blocks_of(&P.X, &P.m.c, &P.targets, begin), n_different = 0;
    sums expected, backwards;
    CASE("order of sums: fields %d, real f%d, data f%d, index i%d, k %d, %lld row blocks",
         (int)type.n_fields, (int)type_size(type.real) * 8, (int)type_size(type.data) * 8,
         (int)type_size(type.index) * 8, (int)type.k, (long long)n_blocks);
    CHECK(n_blocks > 2); /* a sum of two is the same backwards */
    for (int64_t i = 0; i < N_ROWS; i++)
        order[i] = i;
    backwards = summed(&P, begin, n_blocks, 1);
    if (type.n_fields == 0) { /* as if all rows were one block */
        begin[1] = N_ROWS;
        n_blocks = 1;
    }
    expected = summed(&P, begin, n_blocks, 0);
    for (int64_t p = 0; p < expected.n; p++)
        n_different += !same_value(expected.values[p], backwards.values[p]);
    CHECK(n_different > N_FEATURES / 2); /* so the order shows */
    test_order(&P, &expected, order);
    free(expected.values);
    free(backwards.values);
    free(begin);
    problem_free(&P);
}

void test_sum_order(void)
{
    static const int64_t factors[] = {2, 4, 5, 40};
    matrix rows;
    random_state = 11;
    rows = pairs_of_features();
    for (int64_t i = 0; i < 16; i++)
        test_problem(&rows,
                     (kind){i & 1 ? FASTFM_F64 : FASTFM_F32, i & 2 ? FASTFM_F64 : FASTFM_F32,
                            i & 4 ? FASTFM_I64 : FASTFM_I32, factors[i / 2 % 4], 1, i & 8 ? 2 : 0});
    matrix_free(&rows);
}
