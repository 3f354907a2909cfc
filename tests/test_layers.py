"""Each file includes or imports only what is below it, and stays short."""

import re
from pathlib import Path

import pytest

import fastfm_c

ROOT = Path(__file__).parent.parent
CSRC, PACKAGE = ROOT / "csrc", Path(fastfm_c.__file__).parent
LONGEST = 300  # lines
# _core.pyx is one extension module; reference.py is one text, mostly docstrings.
LONG = {"_core.pyx", "_core.c", "reference.py"}

C_FILES = sorted(CSRC.rglob("*.[ch]"))
PYTHON_FILES = sorted(PACKAGE.rglob("*.py")) + sorted(PACKAGE.rglob("*.pyx"))
needs_sources = pytest.mark.skipif(not C_FILES, reason="an installed package, without csrc/")


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', path.read_text(), re.MULTILINE)


def code(path):
    """A C file without its comments and strings."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"', " ", path.read_text(), flags=re.DOTALL)


def files_that(condition):
    return {str(path.relative_to(CSRC)) for path in C_FILES if condition(path)}


@needs_sources
def test_one_file_knows_openmp():
    assert files_that(lambda p: "omp.h" in includes(p)) == {"parallel.c"}
    assert files_that(lambda p: re.search(r"\bomp_\w+|#\s*pragma\s+omp|_OPENMP", code(p))) == {"parallel.c"}


@needs_sources
def test_intrinsics_stay_in_simd():
    """common.h has the prefetch of MSVC, which has no builtin for it; dispatch.c asks the CPU."""
    headers = re.compile(r"[a-z]mmintrin\.h|immintrin\.h|arm_neon\.h|intrin\.h|cpuid\.h")
    found = files_that(lambda p: any(headers.fullmatch(name) for name in includes(p)))
    levels = {"kernels/avx2.c", "kernels/avx512.c"}
    assert {f for f in found if not f.startswith("simd/")} == levels | {"common.h", "dispatch.c"}
    named = files_that(lambda p: re.search(r"\b_mm\d*_\w+|\b__m\d+|\bv(ld|st|add|mul)1?q_", code(p)))
    assert {f for f in named if not f.startswith("simd/")} <= {"common.h"}


@needs_sources
def test_compilers_differ_in_three_files():
    assert files_that(lambda p: "_MSC_VER" in code(p)) == {"atomic.h", "common.h", "dispatch.c"}


@needs_sources
def test_no_c_function_that_a_library_must_not_call():
    banned = r"\b(f?printf|puts|exit|abort|s?rand|errno|getenv|assert|omp_set_\w+|strcpy|sprintf|alloca)\b"
    for path in C_FILES:
        assert not re.search(banned, code(path)), path
    assert not any("Python.h" in includes(path) for path in C_FILES)


@needs_sources
def test_kernels_allocate_nothing():
    for path in C_FILES:
        if path.parent.name in ("kernels", "simd"):
            assert not re.search(r"\b(malloc|calloc|realloc|free)\b", code(path)), path


@needs_sources
def test_what_may_include_what():
    """fastfm.h <- common.h <- simd/ <- kernels/ <- dispatch.h <- the drivers."""
    standard = {"float.h", "stddef.h", "stdint.h", "stdlib.h", "string.h", "math.h", "pthread.h", "omp.h"}
    intrinsics = {"emmintrin.h", "immintrin.h", "xmmintrin.h", "intrin.h", "arm_neon.h", "cpuid.h"}
    for path in C_FILES:
        own = {Path(name).name for name in includes(path)} - standard - intrinsics
        if path.name == "fastfm.h":
            allowed = set()
        elif path.name == "common.h":
            allowed = {"fastfm.h"}
        elif path.parent.name == "simd":
            allowed = {"common.h", "vector.h", "avx2.h"}
        elif path.parent.name == "kernels":
            local = {p.name for folder in ("kernels", "simd") for p in (CSRC / folder).iterdir()}
            allowed = local | {"common.h"}
        else:
            continue
        assert own <= allowed, path


@needs_sources
def test_cython_sees_one_header():
    texts = [path.read_text() for path in ROOT.glob("fastfm_c/*.p[yx]*")]
    assert {h for text in texts for h in re.findall(r'cdef extern from "([^"]+)"', text)} == {"fastfm.h"}


@needs_sources
def test_public_c_names_have_the_prefix():
    text = code(CSRC / "fastfm.h")
    functions = re.findall(r"\b(\w+)\s*\([^()]*\)\s*;", text)
    assert len(functions) > 10
    assert all(name.startswith("fastfm_") for name in functions)


def test_the_core_does_not_know_scikit_learn():
    """Nor anything else that is optional; scipy.optimize only where it is used."""
    estimators = {"sklearn.py", "_estimator.py", "_estimator_kinds.py", "_transformer_tags.py"}
    for path in PYTHON_FILES:
        text = path.read_text()
        imports = re.findall(r"^\s*(?:from|import)\s+([\w.]+)", text, re.MULTILINE)
        known = {"sklearn"} if path.name in estimators else set()
        assert not {name.split(".")[0] for name in imports} & {"sklearn", "pandas", "torch"} - known, path
        at_import = re.findall(r"^(?:from|import)\s+([\w.]+)", text, re.MULTILINE)
        assert "scipy.optimize" not in at_import, path


def test_the_reference_shares_no_code():
    text = (PACKAGE / "reference.py").read_text()
    imports = set(re.findall(r"^\s*(?:from|import)\s+([\w.]+)", text, re.MULTILINE))
    assert imports == {"functools", "numpy", "scipy.sparse"}


def test_files_are_short():
    files = C_FILES + PYTHON_FILES + sorted(Path(__file__).parent.glob("*.py"))
    long = {p.name: n for p in files if (n := len(p.read_text().splitlines())) > LONGEST}
    assert {name: n for name, n in long.items() if name not in LONG} == {}
