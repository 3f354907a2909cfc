"""What becomes of the C library elsewhere: built with its tests for other platforms and compilers, and run.

    python tools/platforms.py warnings aarch64-macos    # some checks
    python tools/platforms.py zig                       # those that zig builds
    python tools/platforms.py all

Every compiler takes tests/c/flags, which make a warning an error. Where the tests can run, emulated if
need be, they must pass and print the same hashes as on this machine: scores, gradients, training and text
have the same bits everywhere, except what went through the platform's exp, log1p or pow.

A table is printed at the end. What this machine lacks is skipped, with the name of what to install. The exit
code is 1 if a check failed, or was skipped with --strict.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "c"
SOURCES = [*sorted(ROOT.glob("csrc/**/*.c")), *sorted(TESTS.glob("*.c"))]
FLAGS = [f"-I{ROOT / 'csrc'}", *shlex.split((TESTS / "flags").read_text())]
FAILING = ["-Dmalloc=test_malloc", "-Dcalloc=test_calloc"]  # of csrc: those of test_no_memory.c
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
CLANGS = ["clang", *(f"clang-{version}" for version in range(30, 13, -1))]
# Groups of tests, in this order, that print all hashes in seconds: for where each instruction is emulated.
SHORT = ("train", "text", "columns", "few_models")
# Groups of tests that share work among threads.
THREADED = ["bits", "columns", "pairs", "phases", "prepare", "recommend", "text", "train"]
HEAD = [("platform", "built with, how it is run", "result", "seconds"), ("---",) * 4]
WINES = ["wine", "wine64", "/usr/lib/wine/wine64"]


class Failed(Exception):
    """A check found something."""


class Lacking(Exception):
    """This machine cannot make the check."""


def run(command: list, cwd: Path | None = None, **environment: str) -> str:
    """Output of a command, which must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "OMP_WAIT_POLICY": "passive", **environment},
    )
    if done.returncode:
        raise Failed(f"{shlex.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-6000:]}")
    return done.stdout


def program(names: list[str], package: str) -> str:
    for name in names:
        if shutil.which(name):
            return name
    raise Lacking(f"no {names[0]}: install {package}")


@cache
def clang_with_openmp() -> str:
    for name in filter(shutil.which, CLANGS):
        try:
            run([name, "-fopenmp", "-fsyntax-only", "-include", "omp.h", "-x", "c", os.devnull])
        except Failed:
            continue
        return name
    raise Lacking("no clang with omp.h: install clang-19 libomp-19-dev libclang-rt-19-dev")


def zig() -> list[str]:
    if importlib.util.find_spec("ziglang") is None:
        raise Lacking("no zig: pip install ziglang")
    return [sys.executable, "-m", "ziglang", "cc"]


def compile_all(compiler: list[str], folder: Path) -> list[Path]:
    """One object for each file of csrc and of the tests."""
    objects = [folder / f"{source.parent.name}_{source.stem}.o" for source in SOURCES]

    def compile_one(source: Path, target: Path) -> None:
        failing = FAILING if TESTS not in source.parents else []
        said = run([*compiler, *FLAGS, *failing, "-c", source, "-o", target])
        if said.strip():
            raise Failed(f"{source}: {said}")

    with ThreadPoolExecutor(CPUS) as pool:
        list(pool.map(compile_one, SOURCES, objects))
    return objects


def build(compiler: list[str], folder: Path, *linking: str, name: str = "tests.exe") -> Path:
    tests = folder / name
    run([*compiler, *compile_all(compiler, folder), "-lm", *linking, "-o", tests])
    return tests


def hashes(output: str) -> str:
    """The line of hashes, if the program printed it once or more and always the same."""
    found = set(re.findall(r"^hashes: (.*?)\r?$", output, re.MULTILINE))
    if len(found) != 1:
        raise Failed(f"hashes, expected one line of them: {sorted(found)}\n{output[-3000:]}")
    return found.pop()


@cache
def hashes_here(groups: tuple[str, ...]) -> str:
    """Of these groups of tests, or of all, by the first compiler of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        return hashes(run([build([program(["gcc", "cc"], "gcc"), "-O3"], Path(folder)), *groups]))


def compare(output: str, groups: tuple[str, ...] = ()) -> str:
    if hashes(output) != hashes_here(groups):
        raise Failed(f"other bits than here: {hashes(output)}, expected {hashes_here(groups)}")
    levels = re.findall(r"levels: (.*?)\r?$", output, re.MULTILINE)[-1]
    return f"{'short run ' if groups else ''}passed ({levels}), same bits"


# ------------------------------------------------------------------------------------------------- the checks


def check_warnings(compiler: Callable[[], str], folder: Path) -> str:
    """With OpenMP, and what the preprocessor hides without it."""
    compile_all([compiler(), "-O3", "-fopenmp"], folder)
    run([compiler(), *FLAGS, "-O3", "-c", ROOT / "csrc/base/parallel.c", "-o", folder / "serial.o"])
    return "no warnings"


def check_sanitizers(compiler: Callable[[], str], folder: Path) -> str:
    return compare(run([TESTS / "run.sh", compiler()]))


def check_threads(folder: Path) -> str:
    """No races; a race that is meant, built with -DFASTFM_RACE, shows that ThreadSanitizer would see one."""
    clang = clang_with_openmp()
    # Archer tells ThreadSanitizer of OpenMP's own synchronisation, which it would take for races: a test
    # calls the library inside a parallel region.
    archer = run([clang, "-print-file-name=libarcher.so"]).strip()
    symbolizer = run([clang, "-print-prog-name=llvm-symbolizer"]).strip()
    if not Path(archer).is_absolute() or not shutil.which(symbolizer):
        raise Lacking("no Archer or llvm-symbolizer: install libomp-19-dev llvm-19")
    compiler = [clang, "-O1", "-g1", "-fsanitize=thread", "-fopenmp"]
    tests = build(compiler, folder)
    options = f"external_symbolizer_path={shutil.which(symbolizer)} ignore_noninstrumented_modules=1"
    environment = {"OMP_TOOL_LIBRARIES": archer, "TSAN_OPTIONS": options}
    run([tests, *THREADED], **environment)
    build([*compiler, "-DFASTFM_RACE"], folder)
    try:
        run([tests, "phases"], **environment)
    except Failed as failed:
        if re.search(r"WARNING: ThreadSanitizer: data race.*in meet\b", str(failed), re.DOTALL):
            return "passed, no races but the one that is meant"
        raise
    raise Failed("the race that is meant was not seen")


@dataclass(frozen=True)
class Cross:
    """A build for another platform, and how its program is run here: None if it cannot be."""

    compiler: Callable[[], list[str]]
    emulator: Callable[[], list[str]] | None
    groups: tuple[str, ...] = ()  # of tests that are run; none: all

    def __call__(self, folder: Path) -> str:
        command = self.compiler()
        try:
            emulator = self.emulator() if self.emulator else None
        except Lacking as lacking:
            build(command, folder)
            raise Lacking(f"built without a warning, not run; {lacking}") from None
        tests = build(command, folder)
        if emulator is None:
            return "built without a warning"
        wine = {"WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all"}
        return compare(run([*emulator, tests, *self.groups], **wine), self.groups)


def check_wasm32(folder: Path) -> str:
    """Emscripten's, as for Pyodide. One file: old versions of its loader use fetch where Node.js has it."""
    compiler = [program(["emcc"], "emscripten"), "-O2"]
    node = program(["node", "nodejs"], "nodejs")
    # What is linked with -O2 is minified, for which Debian's package lacks a part beside another Node.js.
    linking = ["-O1", "-sALLOW_MEMORY_GROWTH", "-sEXIT_RUNTIME", "-sSINGLE_FILE"]
    return compare(run([node, build(compiler, folder, *linking, name="tests.js"), *SHORT]), SHORT)


def aarch64_gcc() -> list[str]:
    gcc = program(["aarch64-linux-gnu-gcc"], "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    return [gcc, "-O3", "-fopenmp", "-static"]


def mingw_gcc() -> list[str]:
    gcc = program(["x86_64-w64-mingw32-gcc-posix"], "gcc-mingw-w64-x86-64-posix")
    # MinGW's isfinite narrows its argument itself.
    return [gcc, "-O3", "-fopenmp", "-static", "-Wno-float-conversion"]


def qemu(machine: str) -> list[str]:
    here = platform.system() == "Linux" and platform.machine() == machine
    return [] if here else [program([f"qemu-{machine}-static", f"qemu-{machine}"], "qemu-user-static")]


def wine() -> list[str]:
    return [program(WINES, "wine64")]


def zig_target(target: str) -> Cross:
    name, system = target.split("-")[:2]
    machine = QEMU_NAMES.get(name, name)
    emulators = {"linux": partial(qemu, machine), "windows": wine if machine == "x86_64" else None}
    groups = SHORT if name in SHORTLY else ()
    return Cross(lambda: [*zig(), "-target", target, "-O3"], emulators.get(system), groups)


GCC = partial(program, ["gcc"], "gcc")
QEMU_NAMES = {"x86": "i386"}  # of a machine that zig calls otherwise
SHORTLY = ["riscv64", "s390x", "x86"]
ZIG = {
    "x86_64-linux-musl": "clang",
    "aarch64-linux-musl": "clang, NEON, under qemu",
    "riscv64-linux-musl": "clang, no vectors, under qemu; a short run",
    "s390x-linux-musl": "clang, no vectors, the high byte first, under qemu; a short run",
    "x86-linux-musl": "clang, 32 bits, no vectors, under qemu; a short run",
    "x86_64-windows-gnu": "clang, under wine",
    "aarch64-windows-gnu": "clang, NEON, not run",
    "x86_64-macos": "clang, not run",
    "aarch64-macos": "clang, NEON, not run",
}
CHECKS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "warnings-gcc": ("gcc, with and without OpenMP, not run", partial(check_warnings, GCC)),
    "warnings-clang": ("clang, likewise", partial(check_warnings, clang_with_openmp)),
    "sanitizers-gcc": ("gcc: -O3; ASan + UBSan, with and without OpenMP", partial(check_sanitizers, GCC)),
    "sanitizers-clang": ("clang: likewise", partial(check_sanitizers, clang_with_openmp)),
    "tsan": ("clang, LLVM's OpenMP, TSan with Archer", check_threads),
    "aarch64": ("gcc, OpenMP, NEON, under qemu", Cross(aarch64_gcc, partial(qemu, "aarch64"))),
    "windows": ("MinGW-w64, OpenMP, under wine", Cross(mingw_gcc, wine)),
    "wasm32": ("Emscripten's clang, no vectors, under Node.js; a short run", check_wasm32),
    **{target: (what, zig_target(target)) for target, what in ZIG.items()},
}
GROUPS = {
    "warnings": ["warnings-gcc", "warnings-clang"],
    "sanitizers": ["sanitizers-gcc", "sanitizers-clang"],
    "zig": list(ZIG),
    "all": list(CHECKS),
}


def make(name: str, what: str, check: Callable[[Path], str]) -> tuple[str, ...]:
    """One check; its row of the table."""
    start, details = time.perf_counter(), ""
    with tempfile.TemporaryDirectory(prefix=f"{name}-", ignore_cleanup_errors=True) as folder:
        try:
            result = check(Path(folder))
        except Lacking as lacking:
            result = f"skipped: {lacking}"
        except Failed as failed:
            result, details = "FAILED", f"{failed}\n"
    seconds = f"{time.perf_counter() - start:.0f}"
    print(f"{name}: {result} ({seconds} s)\n{details}", end="", flush=True)
    return name, what, result, seconds


def print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("| " + " | ".join(map(str.ljust, row, widths)) + " |")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checks", nargs="+", choices=[*CHECKS, *GROUPS], metavar="check")
    parser.add_argument("--strict", action="store_true", help="what is skipped counts as failed")
    arguments = parser.parse_args()
    names = [name for check in arguments.checks for name in GROUPS.get(check, [check])]
    rows = [make(name, *CHECKS[name]) for name in dict.fromkeys(names)]
    print()
    print_table([*HEAD, *rows])
    results = [result for _, _, result, _ in rows]
    return any(r == "FAILED" or (arguments.strict and r.startswith("skipped")) for r in results)


if __name__ == "__main__":
    sys.exit(main())
