/* A target for libFuzzer: fuzz_core.sh builds and runs it. The input's first byte chooses what is
 * called, the others are its arguments: rows, a model, options. Arrays have exactly the promised
 * length, so that AddressSanitizer sees every access outside; what is computed is checked against
 * the references of tests/c, and between threads and instruction set levels. */
#include "fuzz_core.h"

#include <math.h>
#include <stdlib.h>

#define MAX_FEATURES 40
#define MAX_ROWS 36

uint64_t input_bits(input *in, int n_bytes)
{
    uint64_t bits = 0;
    for (int i = 0; i < n_bytes; i++)
        bits = bits << 8 | (in->at < in->end ? *in->at++ : 0);
    return bits;
}

int64_t input_below(input *in, int64_t n) { return (int64_t)input_bits(in, 1) % n; }

int64_t input_number(input *in)
{
    const int64_t small = (int64_t)input_bits(in, 1) - 16;
    return small < 200 ? small : (int64_t)input_bits(in, 8);
}

double input_real(input *in)
{
    static const double evil[] = {0, NAN, INFINITY, -INFINITY, 1e300, -3e38, 1e20, 5e-324};
    const int64_t byte = input_below(in, 256);
    return byte < COUNT(evil) ? evil[byte] : (double)(byte - 128) / 16;
}

fastfm_type input_type(input *in, fastfm_type narrow, fastfm_type wide)
{
    return input_below(in, 2) ? wide : narrow;
}

int input_threads(input *in)
{
    const int64_t choice = input_below(in, 256);
    fastfm_use_level((int)(choice / 4 % fastfm_n_levels()));
    return 1 + (int)(choice % 3);
}

int same_reals(const void *a, const void *b, fastfm_type real, int64_t n)
{
    const int64_t size = type_size(real);
    int same = 1;
    for (int64_t i = 0; i < n; i++) {
        const double x = get_real(a, real, i), y = get_real(b, real, i);
        same &= same_bytes((const char *)a + i * size, (const char *)b + i * size, size) ||
                (isnan(x) && isnan(y));
    }
    return same;
}

/* Ascending indptr, or any numbers. */
static void *indptr_from(input *in, int64_t n_rows, int64_t nnz, fastfm_type type)
{
    const int is_evil = input_below(in, 8) == 7;
    void *indptr = exactly(n_rows + 1, type_size(type));
    int64_t at = input_below(in, 4) == 3 ? input_below(in, nnz + 1) : 0;
    for (int64_t i = 0; i <= n_rows; i++) {
        const int64_t step = input_below(in, 48);
        set_index(indptr, type, i, is_evil ? input_number(in) : at);
        at += step < nnz - at ? step : nnz - at;
    }
    return indptr;
}

/* Columns in steps, which repeat late or never; any columns; any numbers. */
static void *indices_from(input *in, int64_t nnz, int64_t n_features, fastfm_type type)
{
    const int64_t way = input_below(in, 8), step = 1 + input_below(in, MAX_FEATURES);
    void *indices = exactly(nnz, type_size(type));
    for (int64_t p = 0; p < nnz; p++) {
        const int64_t column = way < 5    ? p * step % (n_features + (n_features == 0))
                               : way == 7 ? input_number(in)
                                          : input_below(in, n_features + (n_features == 0));
        set_index(indices, type, p, column);
    }
    return indices;
}

static void *targets_from(input *in, int64_t n, fastfm_type type, int64_t n_classes)
{
    const int is_evil = input_below(in, 8) == 7;
    void *y = exactly(n, type_size(type));
    for (int64_t i = 0; i < n; i++) {
        const double value = is_evil ? input_real(in) : (double)input_below(in, n_classes);
        if (type == FASTFM_F32 || type == FASTFM_F64)
            set_real(y, type, i, value);
        else if (type == FASTFM_U8)
            ((uint8_t *)y)[i] = (uint8_t)(fabs(value) < 200 ? fabs(value) : 200);
        else
            set_index(y, type, i, (int64_t)(fabs(value) < 1e9 ? value : 1e9));
    }
    return y;
}

problem problem_from(input *in)
{
    static const int64_t k[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 70};
    static const fastfm_type y_types[] = {FASTFM_F32, FASTFM_F64, FASTFM_I32, FASTFM_I64,
                                          FASTFM_U8};
    const int64_t n_features = input_below(in, MAX_FEATURES), n_rows = input_below(in, MAX_ROWS);
    const int64_t nnz = input_below(in, 200), C = 1 + input_below(in, 8) / 5;
    const int64_t n_fields = input_below(in, 2) ? 1 + input_below(in, 6) : 0;
    const fastfm_type index = input_type(in, FASTFM_I32, FASTFM_I64);
    const fastfm_type data = input_type(in, FASTFM_F32, FASTFM_F64);
    const fastfm_type real = input_type(in, FASTFM_F32, FASTFM_F64);
    const fastfm_type y_type = y_types[input_below(in, COUNT(y_types))];
    void *values = exactly(nnz, type_size(data));
    double *weight = input_below(in, 2) ? (double *)exactly(n_rows, 8) : NULL;
    problem P = {.weight_sum = 3};
    random_state = input_bits(in, 1);
    P.m = model_random(n_features, n_fields, k[input_below(in, COUNT(k))], C, real);
    P.loss.kind = C > 1 ? FASTFM_SOFTMAX : (fastfm_loss_kind)input_below(in, 3);
    P.loss.label_smoothing = C > 1 || P.loss.kind != FASTFM_SOFTMAX ? input_below(in, 2) / 4.0 : 0;
    P.targets = (fastfm_targets){targets_from(in, n_rows, y_type, C > 1 ? C : 2), y_type, weight};
    for (int64_t i = 0; weight && i < n_rows; i++)
        weight[i] = (double)input_below(in, 4) / 2;
    P.m.c.normalization = (fastfm_normalization)input_below(in, n_fields > 0 ? 2 : 3);
    P.X = (fastfm_csr){n_rows, nnz, indptr_from(in, n_rows, nnz, index), NULL, values, index, data};
    P.X.indices = indices_from(in, nnz, n_features, index);
    for (int64_t p = 0; p < nnz; p++)
        set_real(values, data, p, input_real(in));
    return P;
}

problem problem_with_sums(const problem *P)
{
    problem summed = *P;
    void *indices = calloc((size_t)P->X.nnz + 1, (size_t)type_size(P->X.index_type));
    void *data = calloc((size_t)P->X.nnz + 1, (size_t)type_size(P->X.data_type));
    sum_repeats_plainly(&P->X, indices, data);
    summed.X.indices = indices;
    summed.X.data = data;
    return summed;
}

void problem_with_sums_free(problem *P)
{
    free((void *)(uintptr_t)P->X.indices);
    free((void *)(uintptr_t)P->X.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static void (*const parts[])(input *) = {fuzz_rows,   fuzz_train,      fuzz_text,
                                             fuzz_losses, fuzz_candidates, fuzz_ranking};
    input in = {bytes, bytes + n_bytes};
    fastfm_init_threads(0);
    CASE("of the fuzzer");
    parts[input_below(&in, COUNT(parts))](&in);
    if (n_failed > 0) {
        (void)fflush(stdout);
        abort();
    }
    return 0;
}
