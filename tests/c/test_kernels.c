/* Tests of the C library by its public header, and of base/parallel.h; of the groups that are named,
 * or of all but "few_models", which are among "models". One asks solvers/batch.h where row blocks
 * begin. */
#include "hashes.h"
#include "tests.h"

static const struct {
    const char *name;
    void (*test)(void);
} groups[] = {{"models", test_models},
              {"bits", test_bits},
              {"prepare", test_prepare},
              {"rows", test_rows},
              {"labels", test_labels},
              {"hostile", test_hostile},
              {"train", test_train},
              {"train_sgd", test_train_sgd},
              {"train_hostile", test_train_hostile},
              {"text", test_text},
              {"no_memory", test_no_memory},
              {"columns", test_columns},
              {"field_columns", test_field_columns},
              {"random", test_random},
              {"storage", test_storage},
              {"phases", test_phases},
              {"sum_order", test_sum_order},
              {"pairs", test_pairs},
              {"recommend", test_recommend},
              {"few_models", test_few_models}};

enum { N_ALL = COUNT(groups) - 1 };

static int is_named(const char *name, int argc, char **argv)
{
    int named = argc == 1;
    for (int i = 1; i < argc; i++)
        named |= strcmp(argv[i], name) == 0;
    return named;
}

int main(int argc, char **argv)
{
    fastfm_init_threads(0);
    printf("%s, OpenMP %d, levels:", fastfm_compiler(), fastfm_has_openmp());
    for (int level = 0; level < fastfm_n_levels(); level++)
        printf(" %s", fastfm_level_name(level));
    printf("\n");
    for (int64_t group = 0; group < (argc == 1 ? N_ALL : COUNT(groups)); group++)
        if (is_named(groups[group].name, argc, argv))
            groups[group].test();
    print_hashes();
    printf("%lld passed, %lld failed\n", (long long)n_passed, (long long)n_failed);
    return n_failed > 0 || n_passed == 0;
}
