#!/bin/sh
# Fuzzes the C library with libFuzzer under AddressSanitizer and UBSan.
#   usage: tools/fuzz_core.sh [seconds] [corpus folder]     (default: 60, and a folder that is thrown away)
# An input that fails is left in the working directory as fuzz-crash-...; `FUZZ_INPUT=file tools/fuzz_core.sh` runs it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
clang=${CLANG:-clang}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
export OMP_WAIT_POLICY=passive ASAN_OPTIONS="${ASAN_OPTIONS:-}:allocator_may_return_null=1"

echo 'int LLVMFuzzerTestOneInput(const char *a, unsigned long n) { return a && n > 1u << 30; }' >"$build/probe.c"
if ! $clang -fsanitize=fuzzer,address "$build/probe.c" -o "$build/probe" 2>"$build/probe.log"; then
    cat "$build/probe.log"
    echo "fuzz_core.sh: '$clang -fsanitize=fuzzer' does not work: install clang with its compiler-rt" \
        "(Debian: clang libclang-rt-dev, or libclang-rt-14-dev), or set CLANG" >&2
    exit 2
fi

cp -r "$root/csrc" "$root/tests" "$root/tools" "$build"

# shrink <value> <name>...: what `#define <name>` stands for in csrc. A name that is not there any more is an error.
shrink()
{
    value=$1
    shift
    for name; do
        files=$(grep -rlE "^#define $name " "$build/csrc") || {
            echo "fuzz_core.sh: csrc defines no $name" >&2
            exit 1
        }
        sed -i -E "s/^#define $name .*/#define $name $value/" $files
    done
}

# Small blocks, batches and limits, so that small inputs have many of them, and threads that start for little work.
# Rows of a piece are a multiple of those of a block and of a batch; so are those of a chunk, of a block's.
shrink 16 BLOCK_VALUES FM_BLOCK_VALUES FM_LEAST_VALUES SCORE_BLOCK_VALUES FFM_BLOCK_VALUES FFM_LARGE_BLOCK_VALUES FFM_LARGE_VALUES FFM_DIVIDED_VALUES PARTITION_ENTRIES CHUNK_VALUES FEATURE_SAMPLE
shrink 4 FASTFM_ROW_BLOCK FFM_BATCH_ROWS
shrink 8 FASTFM_PIECE_ROWS CHUNK_ROWS CHECK_BY_PAIRS
shrink 4096 CACHE_BYTES KEPT_BYTES SORTED_BYTES
shrink 16 SHARE_TABLE
shrink 256 MAX_GRADIENT_BYTES MAX_UPDATE_BYTES MAX_VALUES PIECE_BYTES
shrink 64 BLOCK_BYTES PAGE_BYTES
shrink 3 MAX_PARTITION_BITS
shrink 3 FFM_SUMS_FIELDS
shrink 5 TILE_MAX_FIELDS
shrink 8 BLOCK_POSITIVES BLOCK_ITEMS BLOCK_CONTEXTS
shrink 3 MOST_REJECTIONS OPEN_POSITIVES MOST_PANELS
shrink 500 SERIAL_WORK

flags="-I$build/csrc -std=c11 -O1 -g1 -fno-math-errno -ffp-contract=off -fno-omit-frame-pointer -Wall -Wextra -Werror"
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"
cheap="-fno-sanitize=null,object-size,alignment,pointer-overflow" # clang needs minutes for these in the kernels
{
    for source in "$build"/csrc/kernels/*.c; do
        echo "$clang $flags $sanitizers $cheap -fsanitize=fuzzer-no-link -c '$source' -o '$source.o'"
    done
    for source in "$build"/csrc/[!k]*/*.c "$build"/tools/fuzz_core*.c; do
        echo "$clang $flags $sanitizers -fsanitize=fuzzer-no-link -c '$source' -o '$source.o'"
    done
    for source in harness repeats reference learner problem; do # not what is to be explored
        echo "$clang $flags $sanitizers -c '$build/tests/c/$source.c' -o '$build/tests/c/$source.c.o'"
    done
} | tr '\n' '\0' | xargs -0 -n 1 -P "${JOBS:-2}" sh -c

# clang often comes without omp.h: threads then by the other compiler, in the one file that knows them.
openmp=
if ${CC:-cc} -std=c11 -O1 -fopenmp -I"$build/csrc" -c "$build/csrc/base/parallel.c" -o "$build/openmp.o" 2>/dev/null &&
    $clang -shared "$build/openmp.o" -lgomp -o "$build/probe.so" 2>/dev/null; then
    mv "$build/openmp.o" "$build/csrc/base/parallel.c.o"
    openmp=-lgomp
else
    echo "fuzz_core.sh: without threads: no compiler with OpenMP" >&2
fi
$clang $sanitizers -fsanitize=fuzzer "$build"/csrc/*/*.o "$build"/tools/*.o \
    "$build"/tests/c/*.o $openmp -lm -o "$build/fuzz_core"

corpus=${2:-$build/corpus}
mkdir -p "$corpus"
if [ -n "${FUZZ_INPUT:-}" ]; then
    "$build/fuzz_core" "$FUZZ_INPUT"
else
    "$build/fuzz_core" -max_total_time="${1:-60}" -max_len=1024 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix=./fuzz- -verbosity="${VERBOSITY:-1}" "$corpus"
fi
