/* The groups of tests. */
#ifndef FASTFM_TEST_TESTS_H
#define FASTFM_TEST_TESTS_H

#include "problem.h"

void test_models(void);
void test_few_models(void); /* of test_models, where each instruction is emulated */
void test_bits(void);
void test_prepare(void);
void test_rows(void);
void test_phases(void);
void test_labels(void);
void test_hostile(void);
void test_train(void);
void test_train_sgd(void);
void test_sum_order(void);
void test_train_hostile(void);
void test_pairs(void);
void test_text(void);
void test_no_memory(void);
void test_recommend(void);
void test_columns(void);
void test_field_columns(void);
void test_random(void);
void test_storage(void);

#endif
