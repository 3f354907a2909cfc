/* Parameters that are replaced while other threads read them.
 *
 * The gate is the number of readers inside; WRITING while rows are written, and WAITING is added to the
 * number where a writer has waited long. A reader that finds either waits.
 *
 * A child of fork() has a copy of the gate, and none of the threads that are inside. So the gate also has
 * the era of whoever took it last: how many forks made that process. A gate of another era is free. */
#include <string.h>

#include "base/atomic.h"
#include "base/parallel.h"
#include "kernels/table.h"

#define WAITING ((int64_t)1 << 40)
#define WRITING ((int64_t)1 << 41)
#define ERA_SHIFT 42
#define ERAS ((int64_t)1 << 20)

/* How often a writer lets others have the processor before it keeps new readers out. */
#define PATIENCE 1000

/* Bytes that are written at a time: some tens of microseconds, which is how long readers wait. */
#define PIECE_BYTES 262144

/* A gate with nobody inside. */
static int64_t free_gate(void) { return (forks_before() % ERAS) << ERA_SHIFT; }

/* What stands in the gate, of this era. */
static int64_t look(atomic_i64 *gate, int64_t *stored)
{
    const int64_t free = free_gate();
    *stored = atomic_load_i64(gate);
    return *stored >> ERA_SHIFT == free >> ERA_SHIFT ? *stored : free;
}

void fastfm_read_begin(int64_t *gate_)
{
    atomic_i64 *gate = (atomic_i64 *)gate_;
    for (;;) {
        int64_t stored;
        const int64_t n = look(gate, &stored);
        if (!(n & (WAITING | WRITING))) {
            if (atomic_replace_i64(gate, stored, n + 1))
                return;
            atomic_pause();
        } else {
            atomic_yield();
        }
    }
}

void fastfm_read_end(int64_t *gate) { atomic_decrement_i64((atomic_i64 *)gate); }

static void write_begin(atomic_i64 *gate)
{
    for (int64_t turn = 0;; turn++) {
        int64_t stored;
        const int64_t n = look(gate, &stored), free = free_gate();
        if (n == free || n == (free | WAITING)) {
            if (atomic_replace_i64(gate, stored, free | WRITING))
                return;
        } else if (turn >= PATIENCE && !(n & (WAITING | WRITING))) {
            atomic_replace_i64(gate, stored, n | WAITING);
        }
        atomic_yield();
    }
}

static void write_end(atomic_i64 *gate) { atomic_store_i64(gate, free_gate()); }

void fastfm_replace_rows(const fastfm_model *model, int64_t *gate_, const fastfm_rows *rows)
{
    atomic_i64 *gate = (atomic_i64 *)gate_;
    const int64_t C = model->n_outputs, size = stored_size(model);
    const size_t V_bytes = (size_t)(feature_stride(model) * size);
    const size_t real_bytes = real_size(model->real);
    const size_t w_bytes = (size_t)C * (model->small.storage == FASTFM_HALF ? 2 : real_bytes);
    const int64_t step = max_i64(1, PIECE_BYTES / (int64_t)(V_bytes + w_bytes));
    if (rows->w0) {
        write_begin(gate);
        memcpy(model->w0, rows->w0, (size_t)C * real_bytes);
        write_end(gate);
    }
    for (int64_t begin = 0; begin < rows->n_rows; begin += step) {
        const int64_t end = min_i64(begin + step, rows->n_rows);
        write_begin(gate);
        for (int64_t i = begin; i < end; i++) {
            const size_t j = (size_t)rows->features[i], row = (size_t)i;
            memcpy((char *)model->w + j * w_bytes, (const char *)rows->w + row * w_bytes, w_bytes);
            memcpy((char *)model->V + j * V_bytes, (const char *)rows->V + row * V_bytes, V_bytes);
            if (rows->scale)
                memcpy((char *)(uintptr_t)model->small.scale + j * sizeof(float), rows->scale + i,
                       sizeof(float));
        }
        write_end(gate);
    }
}
