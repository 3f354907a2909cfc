"""Each file includes or imports only what is below it, and stays short."""

import re
from pathlib import Path

import pytest

import fastfm_c

ROOT, TESTS = Path(__file__).parents[2], Path(__file__).parents[1]
CSRC, PACKAGE = ROOT / "csrc", Path(fastfm_c.__file__).parent
LONGEST = 300  # lines
LONG = {"reference.py"}  # it is one text, mostly docstrings

C_FILES = sorted(CSRC.rglob("*.[ch]"))
PYTHON_FILES = sorted(path for path in PACKAGE.rglob("*.p[yx]*") if path.suffix in (".py", ".pyx", ".pxi"))
needs_sources = pytest.mark.skipif(not C_FILES, reason="an installed package, without csrc/")

# Which rooms each room of csrc/ may include, beside itself and fastfm.h.
C_ROOMS = {
    "fastfm.h": {
        "fastfm_columns.h",
        "fastfm_recommend.h",
        "fastfm_replace.h",
        "fastfm_small.h",
        "fastfm_vectors.h",
    },  # parts of it
    "fastfm_vectors.h": set(),
    "fastfm_columns.h": set(),
    "fastfm_recommend.h": set(),
    "fastfm_small.h": set(),
    "fastfm_replace.h": set(),
    "base": set(),
    "simd": {"base"},
    "kernels": {"base", "simd"},
    "rows": {"base", "kernels"},
    "losses": {"base"},
    "models": {"base", "kernels", "rows", "losses"},
    "solvers": {"base", "kernels", "rows", "losses", "models"},
    "recommend": {"base", "kernels", "rows"},
    "text": {"base"},
}

# Which rooms each room of the package may import, beside itself.
GROUND = {"_errors", "_field_table", "_open_files", "_threads", "_validation", "_version"}
ROOMS = {
    **{name: set() for name in GROUND},
    "_field_table": {"_validation"},
    "_column_scale": {"_validation"},
    "_core": GROUND,
    "_field_csr": {"_field_table", "_validation"},
    "bayes": GROUND | {"_core", "losses", "models", "persistence", "solvers"},
    "datasets": set(),
    "dask": GROUND | {"distributed", "encoding", "losses", "models", "training"},
    "distributed": GROUND
    | {"_column_scale", "_core", "encoding", "losses", "models", "persistence", "solvers", "training"},
    "encoding": {"_field_csr", "_field_table", "_validation", "persistence"},
    "inspection": {"_field_table", "_validation", "models", "persistence"},
    "interop": {"_field_table", "_open_files", "_validation", "losses", "models"},
    "losses": {"_core", "_validation"},
    "models": {"_core", "_field_table", "_validation", "losses", "persistence"},
    "persistence": {
        "_open_files",
        "_validation",
        "_version",
    },  # its registry names rooms, and imports them when asked to
    "recommend": GROUND | {"_core", "encoding", "losses", "models", "persistence", "solvers", "training"},
    "reference": set(),
    "serving": {"_core", "_field_table", "_validation", "inspection", "losses", "models", "persistence"},
    "sklearn": GROUND
    | {
        "_column_scale",
        "_field_csr",
        "bayes",
        "encoding",
        "inspection",
        "interop",
        "losses",
        "models",
        "persistence",
        "solvers",
        "training",
    },
    "solvers": GROUND | {"_column_scale", "_core", "losses", "models", "persistence"},
    "text": {"_core", "_field_csr", "_field_table", "_open_files", "_validation"},
    "training": GROUND | {"_column_scale", "losses", "models", "solvers"},
}
TOP = {"__init__", "__main__"}  # may import everything


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', path.read_text(), re.MULTILINE)


def code(path):
    """A C file without its comments and strings."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"', " ", path.read_text(), flags=re.DOTALL)


def files_that(condition):
    return {str(path.relative_to(CSRC)) for path in C_FILES if condition(path)}


@needs_sources
def test_one_file_knows_openmp():
    assert files_that(lambda p: "omp.h" in includes(p)) == {"base/parallel.c"}
    assert files_that(lambda p: re.search(r"\bomp_\w+|#\s*pragma\s+omp|_OPENMP", code(p))) == {
        "base/parallel.c"
    }


@needs_sources
def test_intrinsics_stay_in_simd():
    """common.h has the prefetch of MSVC, which has no builtin for it; dispatch.c asks the CPU."""
    headers = re.compile(r"[a-z]mmintrin\.h|immintrin\.h|arm_neon\.h|intrin\.h|cpuid\.h")
    found = files_that(lambda p: any(headers.fullmatch(name) for name in includes(p)))
    levels = {"kernels/avx2.c", "kernels/avx512.c"}
    assert {f for f in found if not f.startswith("simd/")} == levels | {"base/common.h", "kernels/dispatch.c"}
    named = files_that(lambda p: re.search(r"\b_mm\d*_\w+|\b__m\d+|\bv(ld|st|add|mul)1?q_", code(p)))
    assert {f for f in named if not f.startswith("simd/")} <= {"base/common.h"}


@needs_sources
def test_compilers_differ_in_three_files():
    assert files_that(lambda p: "_MSC_VER" in code(p)) == {
        "base/atomic.h",
        "base/common.h",
        "kernels/dispatch.c",
    }


@needs_sources
def test_no_c_function_that_a_library_must_not_call():
    banned = r"\b(f?printf|puts|exit|abort|s?rand|errno|getenv|assert|omp_set_\w+|strcpy|sprintf|alloca)\b"
    for path in C_FILES:
        assert not re.search(banned, code(path)), path
    assert not any("Python.h" in includes(path) for path in C_FILES)


@needs_sources
def test_kernels_allocate_nothing():
    for path in C_FILES:
        if path.relative_to(CSRC).parts[0] in ("kernels", "simd"):
            assert not re.search(r"\b(malloc|calloc|realloc|free)\b", code(path)), path


@needs_sources
def test_what_may_include_what():
    rooms = {path.relative_to(CSRC).parts[0] for path in C_FILES}
    assert rooms == C_ROOMS.keys()
    for path in C_FILES:
        room = path.relative_to(CSRC).parts[0]
        own = {name.split("/")[0] for name in includes(path) if (CSRC / name).exists()}
        assert own <= C_ROOMS[room] | {room, "fastfm.h"}, path


def test_no_two_rooms_import_each_other():
    circles = {(a, b) for a in ROOMS for b in ROOMS[a] if a in ROOMS[b]}
    assert circles == set()


def test_what_may_import_what():
    """A room is a module or a package of fastfm_c; the extension's parts count as much as its imports."""
    for path in PYTHON_FILES:
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in TOP:
            continue
        text = path.read_text()
        imported = set(re.findall(r"^\s*(?:from|import) fastfm_c\.(\w+)", text, re.MULTILINE))
        bare = re.findall(r"^\s*from fastfm_c import ([\w ,]+)", text, re.MULTILINE)
        imported |= {name.strip() for names in bare for name in names.split(",")}
        assert imported <= ROOMS[room] | {room}, path
        assert not re.search(r"^\s*from \.", text, re.MULTILINE), f"{path}: a relative import"


@needs_sources
def test_cython_sees_one_header():
    texts = [path.read_text() for path in ROOT.glob("fastfm_c/_core/*.p[yx]*")]
    assert {h for text in texts for h in re.findall(r'cdef extern from "([^"]+)"', text)} == {"fastfm.h"}


@needs_sources
def test_public_c_names_have_the_prefix():
    text = "".join(code(path) for path in CSRC.glob("fastfm*.h"))
    functions = re.findall(r"\b(\w+)\s*\([^()]*\)\s*;", text)
    assert len(functions) > 10
    assert all(name.startswith("fastfm_") for name in functions)


def test_the_core_does_not_know_scikit_learn():
    """Nor anything else that is optional; scipy.optimize only where it is used."""
    for path in PYTHON_FILES:
        text = path.read_text()
        imports = re.findall(r"^\s*(?:from|import)\s+([\w.]+)", text, re.MULTILINE)
        room = path.relative_to(PACKAGE).parts[0]
        known = {"sklearn"} if room == "sklearn" or path.name == "_estimator_api.py" else set()
        assert not {name.split(".")[0] for name in imports} & {"sklearn", "pandas", "torch"} - known, path
        at_import = re.findall(r"^(?:from|import)\s+([\w.]+)", text, re.MULTILINE)
        assert "scipy.optimize" not in at_import, path


def test_the_reference_shares_no_code():
    text = (PACKAGE / "reference.py").read_text()
    imports = set(re.findall(r"^\s*(?:from|import)\s+([\w.]+)", text, re.MULTILINE))
    assert {name.split(".")[0] for name in imports} == {
        "collections",
        "functools",
        "numpy",
        "scipy",
        "typing",
    }


def test_folders_of_tests_hide_no_module():
    """tests/ is where helpers are imported from: a folder of tests called sklearn would be found as an
    empty package where scikit-learn is not installed, and no test would be skipped."""
    folders = {path.name for path in TESTS.iterdir() if path.is_dir()}
    tables = {"narwhals", "pandas", "polars", "pyarrow"}
    optional = tables | {"joblib", "safetensors", "sklearn", "threadpoolctl", "tqdm", "zstandard"}
    assert not folders & (optional | {"fastfm_c", "hypothesis", "numpy", "pytest", "scipy"})


def test_files_are_short():
    files = C_FILES + PYTHON_FILES + sorted(TESTS.rglob("*.py"))
    long = {p.name: n for p in files if (n := len(p.read_text().splitlines())) > LONGEST}
    assert {name: n for name, n in long.items() if name not in LONG} == {}
