"""What the compiler needs; everything else stands in pyproject.toml.

FASTFM_C_OPENMP=auto|on|off   auto (default) tries a probe; on fails without OpenMP; off builds without it.
FASTFM_C_CFLAGS="..."         more flags, for the compiler and the linker (sanitizers, warnings).
"""

import os
import shlex
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
    "embedsignature": True,
    "embedsignature.format": "clinic",
}
# No SIMD flags: each csrc/kernels/<level>.c sets its own target. Same bits everywhere: no fused operations.
FLAGS = {
    "unix": ["-std=c11", "-O3", "-g0", "-fvisibility=hidden", "-fno-math-errno", "-ffp-contract=off"],
    "msvc": ["/std:c11", "/O2", "/fp:precise"],
}
PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


def openmp_flags(compiler):
    """(compile flags, link flags) for OpenMP, by whether a program with them compiles and links."""
    choice = os.environ.get("FASTFM_C_OPENMP", "auto")
    if choice not in ("auto", "on", "off"):
        raise SystemExit(f"FASTFM_C_OPENMP={choice!r}, expected auto, on or off")
    if choice == "off":
        return [], []
    if compiler.compiler_type == "msvc":
        candidates = [(["/openmp"], [])]
    else:
        candidates = [(["-fopenmp"], ["-fopenmp"]), (["-Xpreprocessor", "-fopenmp"], ["-lomp"])]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text(PROBE)
        for compile_flags, link_flags in candidates:
            try:
                objects = compiler.compile([str(source)], folder, extra_postargs=compile_flags)
                compiler.link_executable(objects, "probe", folder, extra_postargs=link_flags)
            except (CompileError, LinkError):
                continue
            return compile_flags, link_flags
    if choice == "on":
        raise SystemExit("FASTFM_C_OPENMP=on, but no program with OpenMP compiles and links here")
    print("fastfm_c: no OpenMP found; building for one thread")
    return [], []


class BuildExt(build_ext):
    def finalize_options(self):
        super().finalize_options()
        self.force = True  # objects are not rebuilt for a changed flag otherwise

    def build_extensions(self):
        kind = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        compile_flags, link_flags = openmp_flags(self.compiler)
        extra = shlex.split(os.environ.get("FASTFM_C_CFLAGS", ""))
        for extension in self.extensions:
            extension.extra_compile_args = FLAGS[kind] + compile_flags + extra
            extension.extra_link_args = link_flags + extra
        super().build_extensions()


core = Extension(
    "fastfm_c._core",
    ["fastfm_c/_core.pyx", *sorted(str(p) for p in Path("csrc").rglob("*.c"))],
    depends=sorted(str(p) for p in Path("csrc").rglob("*.h")),
    include_dirs=["csrc", numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
    libraries=[] if os.name == "nt" else ["m"],
)
setup(
    ext_modules=cythonize([core], compiler_directives=DIRECTIVES, build_dir="build/cython"),
    cmdclass={"build_ext": BuildExt},
)
