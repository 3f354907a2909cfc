/* What the parts of the fuzzer share: choices made from the input's bytes. */
#ifndef FASTFM_FUZZ_CORE_H
#define FASTFM_FUZZ_CORE_H

#include "../tests/c/learner.h"
#include "../tests/c/repeats.h"

/* Bytes yet to be read; zeros follow. */
typedef struct {
    const uint8_t *at, *end;
} input;

uint64_t input_bits(input *in, int n_bytes);
int64_t input_below(input *in, int64_t n); /* of one byte; n <= 256 */
int64_t input_number(input *in);           /* small, or any of 64 bits */
double input_real(input *in);              /* a small multiple of 1/16, or a number that hurts */
fastfm_type input_type(input *in, fastfm_type narrow, fastfm_type wide);
int input_threads(input *in); /* also chooses an instruction set level */

/* The same bits, or NaN both. */
int same_reals(const void *a, const void *b, fastfm_type real, int64_t n);

void fuzz_rows(input *in);
void fuzz_losses(input *in);
void fuzz_train(input *in);
void fuzz_text(input *in);
void fuzz_candidates(input *in);
void fuzz_ranking(input *in);

/* Any options that the interface lets through. */
fastfm_solver solver_from(input *in);

/* A matrix that may lie, with a model and targets whose labels may be wrong. */
problem problem_from(input *in);

/* P with the repeated columns of its rows, which do not lie, summed. Only its indices and data are
 * its own. */
problem problem_with_sums(const problem *P);
void problem_with_sums_free(problem *P);

#endif
