#include "hashes.h"

#define N_STATES 2

static uint64_t scores_hash, gradients_hash, training_hash, prepared_hash, text_hash, columns_hash;

/* FNV-1a's step, but for whole values. */
static void add(uint64_t *hash, uint64_t bits)
{
    *hash = (*hash ^ bits) * UINT64_C(0x100000001b3);
    *hash ^= *hash >> 32;
}

static void add_reals(uint64_t *hash, const void *values, fastfm_type real, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double value = get_real(values, real, i);
        uint64_t bits;
        memcpy(&bits, &value, 8);
        add(hash, bits);
    }
}

/* w0 is double in a gradient, of the model's type in a model. */
static void add_arrays(uint64_t *hash, const fastfm_model *m, const void *w0, fastfm_type w0_type,
                       const void *w, const void *V)
{
    const int64_t n_w = m->n_outputs * m->n_features;
    add_reals(hash, w0, w0_type, m->n_outputs);
    add_reals(hash, w, m->real, n_w);
    add_reals(hash, V, m->real, n_w * model_block(m));
}

void hash_scores(const problem *P, const outputs *out, int is_prepared)
{
    add_reals(is_prepared ? &prepared_hash : &scores_hash, out->scores, P->m.c.real,
              P->X.n_rows * P->m.c.n_outputs);
}

void hash_gradients(const problem *P, const outputs *out, int is_prepared)
{
    uint64_t *hash = is_prepared ? &prepared_hash : &gradients_hash;
    if (P->loss.kind != FASTFM_SQUARED)
        return;
    add_reals(hash, &out->total, FASTFM_F64, 1);
    add_arrays(hash, &P->m.c, out->w0, FASTFM_F64, out->w, out->V);
}

void hash_learner(const problem *P, const learner *L)
{
    const fastfm_model *m = &L->m.c;
    if (P->loss.kind != FASTFM_SQUARED || L->solver.rule == FASTFM_ADAM)
        return;
    add_reals(&training_hash, &L->total, FASTFM_F64, 1);
    add_arrays(&training_hash, m, m->w0, m->real, m->w, m->V);
    for (int s = 0; s < N_STATES && L->solver.state[s].w; s++) {
        const fastfm_state *state = &L->solver.state[s];
        add_arrays(&training_hash, m, state->w0, m->real, state->w, state->V);
    }
}

void hash_columns(const fastfm_model *m)
{
    add_arrays(&columns_hash, m, m->w0, m->real, m->w, m->V);
}

void hash_text(const char *bytes, int64_t n_bytes)
{
    for (int64_t i = 0; i < n_bytes; i++)
        add(&text_hash, (unsigned char)bytes[i]);
}

void print_hashes(void)
{
    printf("hashes: scores %016llx, gradients %016llx, training %016llx, prepared %016llx, "
           "text %016llx, columns %016llx\n",
           (unsigned long long)scores_hash, (unsigned long long)gradients_hash,
           (unsigned long long)training_hash, (unsigned long long)prepared_hash,
           (unsigned long long)text_hash, (unsigned long long)columns_hash);
}
