/* Tests of the C library by its public header alone. Run by run.sh. */
#include "tests.h"

int main(void)
{
    fastfm_init_threads();
    printf("%s, OpenMP %d, levels:", fastfm_compiler(), fastfm_has_openmp());
    for (int level = 0; level < fastfm_n_levels(); level++)
        printf(" %s", fastfm_level_name(level));
    printf("\n");
    test_models();
    test_bits();
    test_rows();
    test_labels();
    test_hostile();
    test_train();
    test_train_sgd();
    test_train_hostile();
    test_text();
    test_no_memory();
    printf("scores hash %016llx\n", (unsigned long long)scores_hash);
    printf("%lld passed, %lld failed\n", (long long)n_passed, (long long)n_failed);
    return n_failed > 0;
}
