#!/bin/sh
# Builds csrc and the tests and runs them: optimised with all warnings as errors, then under AddressSanitizer and
# UBSan with and without OpenMP.   usage: tests/c/run.sh [compiler...]   (default: gcc, and clang if it has OpenMP)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
csrc=$here/../../csrc
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
export OMP_WAIT_POLICY=passive # three threads on two processors would spin for each other

# As setup.py's; the numbers of both sides must be rounded alike.
common="-I$csrc $(tr '\n' ' ' < "$here/flags")"
optimised="-O3"
failing="-Dmalloc=test_malloc -Dcalloc=test_calloc" # those of test_no_memory.c
sanitized="-g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"

# objects <compiler> <folder> <flags for csrc> <flags for the tests>
objects()
{
    mkdir -p "$2"
    {
        for source in "$csrc"/kernels/*.c "$csrc"/[!k]*/*.c; do # the kernels take longest
            echo "$1 $common $3 $failing -c '$source' -o '$2/fastfm_$(basename "$source" .c).o'"
        done
        for source in "$here"/*.c; do
            echo "$1 $common $4 -c '$source' -o '$2/$(basename "$source" .c).o'"
        done
    } | tr '\n' '\0' | xargs -0 -n 1 -P "${JOBS:-2}" sh -c
}

# openmp <compiler> <folder> <flags>: only these two know OpenMP.
openmp()
{
    $1 $common $3 -fopenmp -c "$csrc/base/parallel.c" -o "$2/fastfm_parallel.o"
    $1 $common $3 -fopenmp -c "$here/test_bits.c" -o "$2/test_bits.o"
}

# start <compiler> <folder> <flags>: link the objects, and run them beside what is compiled next.
start()
{
    binaries=$((binaries + 1))
    $1 $3 "$2"/*.o -lm -o "$build/$binaries"
    {
        echo "== $1 $3"
        "$build/$binaries" || echo failed > "$build/failed"
    } > "$build/$binaries.log" 2>&1 &
}

test_compiler()
{
    case $($1 --version) in # clang takes minutes to compile these two checks; ASan sees most of what they see
    *clang*) kernels="-O1 -fno-sanitize=null,object-size" ;;
    *) kernels="-Og" ;;
    esac
    objects "$1" "$build/optimised" "$optimised" "$optimised"
    openmp "$1" "$build/optimised" "$optimised"
    start "$1" "$build/optimised" "$optimised -fopenmp"
    objects "$1" "$build/sanitized" "$sanitized $kernels" "$sanitized -O1"
    start "$1" "$build/sanitized" "$sanitized"
    openmp "$1" "$build/sanitized" "$sanitized -O1"
    start "$1" "$build/sanitized" "$sanitized -fopenmp"
}

has_openmp() # Debian's clang comes without omp.h
{
    command -v "$1" >/dev/null && echo '#include <omp.h>' | "$1" -fopenmp -fsyntax-only -x c - 2>/dev/null
}

binaries=0
if [ $# -eq 0 ]; then
    set -- gcc $(has_openmp clang && echo clang)
fi
for compiler; do
    test_compiler "$compiler"
done
wait
for i in $(seq "$binaries"); do
    cat "$build/$i.log"
done
[ ! -e "$build/failed" ]
