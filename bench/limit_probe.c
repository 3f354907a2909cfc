/*
 * The limit probe: how fast can the cache lines of a prediction be touched, and nothing else done?
 *
 * For each non-zero, in the order of the CSR arrays: read the index, the value, w[j], and one word
 * of every 64-byte line of the parameter row V[j] (of an FFM: of all n_fields * n_factors numbers).
 * The lines are prefetched `ahead` non-zeros earlier, into L1 or into L2 only. Integer XOR into
 * independent accumulators keeps the compiler from dropping the loads and costs no latency, so
 * memory is the only limit.
 */
#include <stdint.h>
#include <string.h>

#define LINE 64
#define BLOCK 128 /* rows a thread takes at a time */

typedef struct {
    int64_t n_rows;
    const int32_t *indptr, *indices;
    const float *data;
    const char *w, *V;          /* bytes, because rows may be strided */
    int64_t w_stride, V_stride; /* in bytes */
    int64_t n_lines;            /* 64-byte steps from the start of a row */
    int64_t last; /* offset of the row's last word if it may lie in a further line, or 0 */
    int64_t ahead, into_L2;
    uint32_t *out; /* one word per row, as a prediction writes */
} probe;

static inline uint32_t word(const char *address)
{
    uint32_t value;
    memcpy(&value, address, sizeof value);
    return value;
}

static inline __attribute__((always_inline)) void prefetch(const char *address, int into_L2)
{
    if (into_L2)
        __builtin_prefetch(address, 0, 2);
    else
        __builtin_prefetch(address, 0, 3);
}

/* Inlined for each constant n_lines, has_last and into_L2: the loops over lines are then unrolled. */
static inline __attribute__((always_inline)) void touch_rows_into(const probe *P, int64_t begin,
                                                                  int64_t end, int64_t n_lines,
                                                                  int has_last, int into_L2)
{
    const int64_t final = P->indptr[P->n_rows] - 1;
    for (int64_t i = begin; i < end; i++) {
        uint32_t value = 0, linear = 0, factor[4] = {0, 0, 0, 0};
        for (int64_t p = P->indptr[i]; p < P->indptr[i + 1]; p++) {
            if (P->ahead) {
                const int64_t next = p + P->ahead < final ? p + P->ahead : final;
                const char *row = P->V + P->indices[next] * P->V_stride;
                prefetch(P->w + P->indices[next] * P->w_stride, into_L2);
                for (int64_t l = 0; l < n_lines; l++)
                    prefetch(row + l * LINE, into_L2);
                if (has_last)
                    prefetch(row + P->last, into_L2);
            }
            const char *row = P->V + P->indices[p] * P->V_stride;
            value ^= word((const char *)(P->data + p));
            linear ^= word(P->w + P->indices[p] * P->w_stride);
            for (int64_t l = 0; l < n_lines; l++)
                factor[l & 3] ^= word(row + l * LINE);
            if (has_last)
                factor[n_lines & 3] ^= word(row + P->last);
        }
        P->out[i] = value ^ linear ^ factor[0] ^ factor[1] ^ factor[2] ^ factor[3];
    }
}

static inline __attribute__((always_inline)) void
touch_rows(const probe *P, int64_t begin, int64_t end, int64_t n_lines, int has_last)
{
    if (P->into_L2)
        touch_rows_into(P, begin, end, n_lines, has_last, 1);
    else
        touch_rows_into(P, begin, end, n_lines, has_last, 0);
}

static void touch_block(const probe *P, int64_t begin, int64_t end)
{
    switch (P->n_lines * 2 + (P->last > 0)) {
    case 2:
        touch_rows(P, begin, end, 1, 0);
        break;
    case 3:
        touch_rows(P, begin, end, 1, 1);
        break;
    case 4:
        touch_rows(P, begin, end, 2, 0);
        break;
    case 5:
        touch_rows(P, begin, end, 2, 1);
        break;
    case 6:
        touch_rows(P, begin, end, 3, 0);
        break;
    case 7:
        touch_rows(P, begin, end, 3, 1);
        break;
    case 8:
        touch_rows(P, begin, end, 4, 0);
        break;
    case 9:
        touch_rows(P, begin, end, 4, 1);
        break;
    default:
        touch_rows(P, begin, end, P->n_lines, P->last > 0);
    }
}

void limit_probe(const probe *P, int num_threads)
{
    const int64_t n_blocks = (P->n_rows + BLOCK - 1) / BLOCK;
    (void)num_threads; /* unused without OpenMP */
#pragma omp parallel for num_threads(num_threads) schedule(dynamic) if (num_threads > 1)
    for (int64_t b = 0; b < n_blocks; b++) {
        const int64_t end = (b + 1) * BLOCK;
        touch_block(P, b * BLOCK, end < P->n_rows ? end : P->n_rows);
    }
}
