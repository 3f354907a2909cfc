/* Which instruction sets this processor has, and which one is in use.
 *
 * The processor is asked by CPUID and XGETBV directly: __builtin_cpu_supports would need a runtime
 * library that not every target links. This file, base/common.h and base/atomic.h are the only ones
 * that know compilers by name. */
#include "kernels/dispatch.h"

#ifdef FASTFM_X86_64
#if defined(_MSC_VER) && !defined(__clang__)
#include <immintrin.h>
#include <intrin.h>
static void cpuid(unsigned leaf, unsigned registers[4])
{
    __cpuidex((int *)registers, (int)leaf, 0);
}
static uint64_t saved_registers(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(unsigned leaf, unsigned registers[4])
{
    registers[0] = registers[1] = registers[2] = registers[3] = 0;
    __get_cpuid_count(leaf, 0, &registers[0], &registers[1], &registers[2], &registers[3]);
}
static uint64_t saved_registers(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}
#endif

/* The highest level that can run here. The processor must have the instructions (leaf 7: AVX2,
 * AVX-512F), and the operating system must save the registers on a switch of threads (XCR0: bits 1
 * and 2 for AVX, 5 to 7 for AVX-512). */
static int processor_level(void)
{
    unsigned leaf1[4], leaf7[4];
    uint64_t saved;
    cpuid(1, leaf1);
    if (!(leaf1[2] & (1u << 27)) || !(leaf1[2] & (1u << 28))) /* OSXSAVE, AVX */
        return 0;
    saved = saved_registers();
    cpuid(7, leaf7);
    if ((saved & 0x6) != 0x6 || !(leaf7[1] & (1u << 5)))
        return 0;
    return (saved & 0xe6) == 0xe6 && (leaf7[1] & (1u << 16)) ? 2 : 1;
}

/* Whether this is an AMD processor with an L1 data cache of 32 kB: Zen to Zen 4. There an FFM's
 * prefetches belong into L2 (docs/lab-notebook.md). Leaf 0x80000005 is AMD's; other vendors tell
 * the size elsewhere and are not asked. */
static int is_amd_with_small_l1(void)
{
    unsigned leaf[4];
    cpuid(0x80000000, leaf);
    if (leaf[0] < 0x80000005)
        return 0;
    cpuid(0x80000005, leaf);
    return leaf[2] >> 24 == 32;
}

static const kernel_table *const tables[] = {&kernels_baseline, &kernels_avx2, &kernels_avx512};
#else
static int processor_level(void) { return 0; }
static int is_amd_with_small_l1(void) { return 0; }
static const kernel_table *const tables[] = {&kernels_baseline};
#endif

/* fastfm_use_level alone writes these. */
static int active_level = 0;
int ffm_prefetches_into_L2 = 0;

int fastfm_n_levels(void) { return processor_level() + 1; }
const char *fastfm_level_name(int level) { return tables[level]->level; }
void fastfm_use_level(int level)
{
    active_level = level;
    ffm_prefetches_into_L2 = is_amd_with_small_l1();
}
int fastfm_active_level(void) { return active_level; }
const kernel_table *kernels(void) { return tables[active_level]; }

/* The compiler of this file, for bug reports. */
const char *fastfm_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#elif defined(_MSC_VER)
    return "msvc";
#else
    return "unknown";
#endif
}
