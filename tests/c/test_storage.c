/* Scores of binary16 and int8 parameters: the bits of the float32 model that they stand for, at every level;
 * and parameters that are replaced. Arrays have exactly their size, so a sanitizer sees what reads beyond. */
#include <math.h>
#include <stdlib.h>

#include "harness.h"
#include "tests.h"

#define N_FEATURES 23
#define N_ROWS 4

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* A finite binary16 of any size. */
static uint16_t random_half(uint32_t *state)
{
    const uint16_t half = (uint16_t)next_random(state);
    return (half & 0x7c00) == 0x7c00 ? (uint16_t)(half & 0x83ff) : half;
}

/* The number of a finite binary16, by its definition. */
static float number_of(uint16_t half)
{
    const int exponent = (half >> 10) & 31, mantissa = half & 1023;
    const float size =
        exponent ? ldexpf((float)(1024 + mantissa), exponent - 25) : ldexpf((float)mantissa, -24);
    return half & 0x8000 ? -size : size;
}

typedef struct {
    fastfm_model small, full;
    float w0[2], scale[N_FEATURES];
    int32_t fields[N_FEATURES];
} two_models;

/* F = 0: an FM. */
static void models_new(two_models *m, int64_t C, int64_t k, int64_t F, fastfm_storage storage)
{
    uint32_t state = (uint32_t)(C + 7 * k + 31 * F);
    const int64_t n_V = N_FEATURES * C * k * (F ? F : 1), n_w = N_FEATURES * C;
    float *w = (float *)exactly(n_w, sizeof(float)), *V = (float *)exactly(n_V, sizeof(float));
    uint16_t *half_w = (uint16_t *)exactly(n_w, 2), *half_V = (uint16_t *)exactly(n_V, 2);
    int8_t *byte_V = (int8_t *)exactly(n_V, 1);
    for (int j = 0; j < N_FEATURES; j++) {
        m->fields[j] = (int32_t)(j % (F ? F : 1));
        m->scale[j] = (float)(next_random(&state) % 1000) / 512;
    }
    m->w0[0] = 0.5f, m->w0[1] = -1;
    for (int64_t i = 0; i < n_w; i++) {
        half_w[i] = random_half(&state);
        w[i] = number_of(half_w[i]);
    }
    for (int64_t i = 0; i < n_V; i++) {
        half_V[i] = random_half(&state);
        byte_V[i] = (int8_t)((int)(next_random(&state) % 255) - 127);
        V[i] = storage == FASTFM_HALF ? number_of(half_V[i])
                                      : m->scale[i / (n_V / N_FEATURES)] * (float)byte_V[i];
    }
    m->full = (fastfm_model){.n_features = N_FEATURES,
                             .n_fields = F,
                             .n_factors = k,
                             .n_outputs = C,
                             .real = FASTFM_F32,
                             .w0 = m->w0,
                             .w = w,
                             .V = V,
                             .fields = F ? m->fields : NULL};
    m->small = m->full;
    m->small.small = (fastfm_small){.storage = storage, .scale = m->scale, .scale_step = 1};
    if (storage == FASTFM_HALF) {
        m->small.w = half_w, m->small.V = half_V;
        free(byte_V);
    } else {
        m->small.V = byte_V;
        free(half_w);
        free(half_V);
    }
}

static void models_free(two_models *m)
{
    if (m->small.w != m->full.w)
        free(m->small.w);
    free(m->small.V);
    free(m->full.w);
    free(m->full.V);
}

static void test_scores(const two_models *m)
{
    const int32_t indptr[N_ROWS + 1] = {0, 0, 3, 3 + 11, 3 + 11 + N_FEATURES};
    const int64_t nnz = indptr[N_ROWS], n_scores = N_ROWS * m->full.n_outputs;
    int32_t *indices = (int32_t *)exactly(nnz, sizeof(int32_t));
    float *data = (float *)exactly(nnz, sizeof(float));
    float *scores = (float *)exactly(n_scores, sizeof(float));
    float *wanted = (float *)exactly(n_scores, sizeof(float));
    const fastfm_csr X = {.n_rows = N_ROWS,
                          .nnz = nnz,
                          .indptr = indptr,
                          .indices = indices,
                          .data = data,
                          .index_type = FASTFM_I32,
                          .data_type = FASTFM_F32};
    const int before = fastfm_active_level();
    int64_t bad_row;
    for (int i = 0; i < N_ROWS; i++)
        for (int32_t p = indptr[i]; p < indptr[i + 1]; p++) {
            indices[p] = (p - indptr[i] + i) % N_FEATURES;
            data[p] = (float)(p % 5) - 1.5f;
        }
    CHECK(fastfm_score(&X, &m->full, wanted, 1, &bad_row) == FASTFM_OK);
    for (int level = 0; level < fastfm_n_levels(); level++) {
        fastfm_use_level(level);
        CHECK(fastfm_score(&X, &m->small, scores, 1, &bad_row) == FASTFM_OK);
        CHECK(same_bytes(scores, wanted, n_scores * (int64_t)sizeof(float)));
    }
    fastfm_use_level(before);
    free(indices);
    free(data);
    free(scores);
    free(wanted);
}

/* Rows 3 and 22 get the numbers of rows 0 and 1. */
static void test_replaced_rows(two_models *m)
{
    const int64_t features[2] = {3, 22};
    const int64_t V_bytes = m->small.n_factors * m->small.n_outputs *
                            (m->small.fields ? m->small.n_fields : 1) *
                            (m->small.small.storage == FASTFM_HALF ? 2 : 1);
    const float w0[2] = {2, 3}, scale[2] = {0.25f, 0.5f};
    const fastfm_rows rows = {2,          features,
                              w0,         m->small.w,
                              m->small.V, m->small.small.storage == FASTFM_BYTE ? scale : NULL};
    int64_t gate = 0;
    fastfm_read_begin(&gate);
    fastfm_read_begin(&gate);
    CHECK(gate == 2);
    fastfm_read_end(&gate);
    fastfm_read_end(&gate);
    fastfm_replace_rows(&m->small, &gate, &rows);
    CHECK(gate == 0);
    gate = ((int64_t)3 << 42) + 5; /* as a fork has left it: those who were inside are not here */
    fastfm_read_begin(&gate);
    CHECK(gate == 1);
    fastfm_read_end(&gate);
    gate = (int64_t)7 << 41;
    fastfm_replace_rows(&m->small, &gate, &rows);
    CHECK(gate == 0);
    CHECK(same_bytes((char *)m->small.V + 3 * V_bytes, m->small.V, V_bytes));
    CHECK(same_bytes((char *)m->small.V + 22 * V_bytes, (char *)m->small.V + V_bytes, V_bytes));
    CHECK(m->w0[0] == 2);
    CHECK(m->small.small.storage == FASTFM_HALF || (m->scale[3] == 0.25f && m->scale[22] == 0.5f));
}

void test_storage(void)
{
    const int64_t factors[] = {1, 3, 4, 8, 16, 21, 64, 70}, fields[] = {0, 1, 4, 23};
    for (int f = 0; f < 8; f++)
        for (int g = 0; g < 4; g++)
            for (int64_t C = 1; C <= 2; C++)
                for (int storage = FASTFM_HALF; storage <= FASTFM_BYTE; storage++) {
                    two_models m;
                    models_new(&m, C, factors[f], fields[g], (fastfm_storage)storage);
                    test_scores(&m);
                    test_replaced_rows(&m);
                    models_free(&m);
                }
}
