#include "harness.h"

#include <math.h>
#include <stdlib.h>

char case_name[160];
int64_t n_passed, n_failed;
uint64_t random_state;

int count_check(int passed, const char *text, const char *file, int line)
{
    n_passed += passed;
    n_failed += !passed;
    if (!passed && n_failed <= 4000)
        printf("%s:%d: failed: %s\n    %s\n", file, line, text, case_name);
    return passed;
}

/* splitmix64 */
uint64_t random_bits(void)
{
    uint64_t z = random_state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

int64_t random_below(int64_t n) { return (int64_t)((random_bits() >> 1) % (uint64_t)n); }

double random_real(void)
{
    return (double)((int64_t)(random_bits() >> 11) - (INT64_C(1) << 52)) /
           (double)(INT64_C(1) << 52);
}

void *exactly(int64_t n, int64_t size)
{
    void *memory = malloc((size_t)(n * size));
    if (!memory && n > 0) {
        printf("out of memory\n");
        exit(2);
    }
    return memory;
}

int64_t type_size(fastfm_type type)
{
    return type == FASTFM_U8 ? 1 : type == FASTFM_F32 || type == FASTFM_I32 ? 4 : 8;
}

int64_t get_index(const void *indices, fastfm_type type, int64_t i)
{
    return type == FASTFM_I32 ? ((const int32_t *)indices)[i] : ((const int64_t *)indices)[i];
}

void set_index(void *indices, fastfm_type type, int64_t i, int64_t value)
{
    if (type == FASTFM_I32)
        ((int32_t *)indices)[i] = (int32_t)value;
    else
        ((int64_t *)indices)[i] = value;
}

double get_real(const void *values, fastfm_type type, int64_t i)
{
    return type == FASTFM_F32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

void set_real(void *values, fastfm_type type, int64_t i, double value)
{
    if (type == FASTFM_F32)
        ((float *)values)[i] = (float)value;
    else
        ((double *)values)[i] = value;
}

int same_bytes(const void *a, const void *b, int64_t n)
{
    return n == 0 || memcmp(a, b, (size_t)n) == 0;
}

int same_value(double a, double b) { return !(a < b) && !(a > b) && a - a <= 0 && b - b <= 0; }

matrix matrix_new(int64_t n_features)
{
    matrix m = {.n_features = n_features, .row_room = 16, .value_room = 16};
    m.indptr = (int64_t *)exactly(m.row_room, 8);
    m.indices = (int64_t *)exactly(m.value_room, 8);
    m.values = (double *)exactly(m.value_room, 8);
    m.indptr[0] = 0;
    return m;
}

void matrix_free(matrix *m)
{
    free(m->indptr);
    free(m->indices);
    free(m->values);
}

static void *grown(void *array, int64_t n)
{
    void *memory = realloc(array, (size_t)(n * 8));
    if (!memory)
        exit(2);
    return memory;
}

void matrix_add(matrix *m, int64_t column, double value)
{
    if (m->nnz == m->value_room) {
        m->value_room *= 2;
        m->indices = (int64_t *)grown(m->indices, m->value_room);
        m->values = (double *)grown(m->values, m->value_room);
    }
    m->indices[m->nnz] = column;
    m->values[m->nnz++] = value;
}

void matrix_end_row(matrix *m)
{
    if (m->n_rows + 1 == m->row_room) {
        m->row_room *= 2;
        m->indptr = (int64_t *)grown(m->indptr, m->row_room);
    }
    m->indptr[++m->n_rows] = m->nnz;
}

static int compare_columns(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Whether column j is among the row's first n. */
static int in_row(const int64_t *row, int64_t n, int64_t j)
{
    int found = 0;
    for (int64_t a = 0; a < n; a++)
        found |= row[a] == j;
    return found;
}

void matrix_random_row(matrix *m, int64_t z, int ascending, double zero_share)
{
    const int64_t first = m->nnz;
    for (int64_t a = 0; a < z; a++) {
        const double value = random_real(), share = (random_real() + 1) / 2;
        int64_t j = random_below(m->n_features);
        while (in_row(m->indices + first, a, j))
            j = (j + 1) % m->n_features;
        matrix_add(m, j, share < zero_share ? 0 : value);
    }
    if (ascending)
        qsort(m->indices + first, (size_t)z, sizeof *m->indices, compare_columns);
    matrix_end_row(m);
}

matrix matrix_mixed_rows(int64_t n_features)
{
    static const int64_t lengths[] = {0, 1, 2, 3, 0, 0, 7, 20, 12, 31, 32, 33, 40, 70, 5, 1, 0};
    matrix m = matrix_new(n_features);
    for (int64_t i = 0; i < COUNT(lengths); i++)
        matrix_random_row(&m, lengths[i] < n_features ? lengths[i] : n_features, i % 3 == 0,
                          i % 5 == 2 ? 1 : 0.1);
    return m;
}

matrix matrix_equal_rows(int64_t n_rows, int64_t z, int64_t n_features)
{
    matrix m = matrix_new(n_features);
    for (int64_t i = 0; i < n_rows; i++)
        matrix_random_row(&m, z, i % 3 > 0, 0);
    return m;
}

static int64_t evil_number(int64_t size)
{
    const int64_t evil[] = {-1,
                            -2,
                            INT32_MIN,
                            INT32_MAX,
                            INT64_MIN,
                            INT64_MAX,
                            -size,
                            size,
                            size + 1,
                            size - 1,
                            INT64_C(1) << 31,
                            INT64_C(1) << 32,
                            INT64_MIN + 1,
                            INT64_MAX / 8,
                            INT64_MIN / 16};
    const int64_t any = (int64_t)random_bits();
    return random_below(4) ? evil[random_below(COUNT(evil))]
                           : any / (INT64_C(1) << random_below(63));
}

static double evil_value(double value)
{
    const double evil[] = {NAN, INFINITY, -INFINITY, 1e300, -1e-300, 0, -0.0, 5e-324};
    return random_below(2) ? evil[random_below(COUNT(evil))] : value;
}

enum {
    INDPTR_EVIL,
    INDPTR_OFF,
    INDPTR_ALL,
    INDEX_EVIL,
    INDEX_ALL,
    REPEAT,
    EVIL_AND_REPEAT,
    VALUES,
    N_WAYS
};

void matrix_spoil(matrix *m)
{
    const int64_t way = random_below(N_WAYS), n_changes = 1 + random_below(3);
    for (int64_t change = 0; change < n_changes; change++) {
        const int64_t i = random_below(m->n_rows + 1), p = m->nnz > 0 ? random_below(m->nnz) : -1;
        if (way == INDPTR_EVIL)
            m->indptr[i] = evil_number(m->nnz);
        if (way == INDPTR_OFF)
            m->indptr[i] += random_below(5) - 2;
        if ((way == INDEX_EVIL || (way == EVIL_AND_REPEAT && change == 0)) && p >= 0)
            m->indices[p] = evil_number(m->n_features);
        else if ((way == REPEAT || way == EVIL_AND_REPEAT) && p > 0)
            m->indices[p] = m->indices[p - 1];
        if (p >= 0)
            m->values[p] = evil_value(m->values[p]);
    }
    for (int64_t i = 0; way == INDPTR_ALL && i <= m->n_rows; i++)
        m->indptr[i] = evil_number(m->nnz);
    for (int64_t p = 0; way == INDEX_ALL && p < m->nnz; p++)
        m->indices[p] = evil_number(m->n_features);
}

fastfm_csr csr_of(const matrix *m, fastfm_type index_type, fastfm_type data_type)
{
    void *indptr = exactly(m->n_rows + 1, type_size(index_type));
    void *indices = exactly(m->nnz, type_size(index_type));
    void *data = exactly(m->nnz, type_size(data_type));
    for (int64_t i = 0; i <= m->n_rows; i++)
        set_index(indptr, index_type, i, m->indptr[i]);
    for (int64_t p = 0; p < m->nnz; p++) {
        set_index(indices, index_type, p, m->indices[p]);
        set_real(data, data_type, p, m->values[p]);
    }
    return (fastfm_csr){m->n_rows, m->nnz, indptr, indices, data, index_type, data_type};
}

void csr_free(fastfm_csr *X)
{
    free((void *)(uintptr_t)X->indptr);
    free((void *)(uintptr_t)X->indices);
    free((void *)(uintptr_t)X->data);
}

/* n random values in [-scale, scale) as a new array of type `real`; *wide: the same values in
 * double. */
static void *random_values(int64_t n, double scale, fastfm_type real, double **wide)
{
    void *values = exactly(n, type_size(real));
    *wide = (double *)exactly(n, 8);
    for (int64_t i = 0; i < n; i++) {
        set_real(values, real, i, scale * random_real());
        (*wide)[i] = get_real(values, real, i);
    }
    return values;
}

model model_random(int64_t n_features, int64_t n_fields, int64_t k, int64_t n_outputs,
                   fastfm_type real)
{
    model m = {.c = {.n_features = n_features,
                     .n_fields = n_fields,
                     .n_factors = k,
                     .n_outputs = n_outputs,
                     .real = real,
                     .normalization = FASTFM_AS_IS}};
    if (n_fields > 0) {
        int32_t *fields = (int32_t *)exactly(n_features, 4);
        for (int64_t j = 0; j < n_features; j++)
            fields[j] = (int32_t)random_below(n_fields);
        m.c.fields = fields;
    }
    m.c.w0 = random_values(n_outputs, 1, real, &m.w0);
    m.c.w = random_values(n_outputs * n_features, 1, real, &m.w);
    m.c.V = random_values(n_outputs * n_features * model_block(&m.c), 0.25, real, &m.V);
    return m;
}

void model_free(model *m)
{
    free((void *)(uintptr_t)m->c.fields);
    free((void *)(uintptr_t)m->c.w0);
    free((void *)(uintptr_t)m->c.w);
    free((void *)(uintptr_t)m->c.V);
    free(m->w0);
    free(m->w);
    free(m->V);
}

int64_t model_block(const fastfm_model *m) { return m->n_factors * (m->fields ? m->n_fields : 1); }
