"""What the compiler needs; everything else stands in pyproject.toml.

FASTFM_C_OPENMP=auto|on|off   auto (default) tries a probe; on fails without OpenMP; off builds without it.
FASTFM_C_OPENMP_PREFIX=folder where include/omp.h and lib/libomp are, if not where the compiler looks (macOS).
FASTFM_C_ABI3=1               the limited API: one extension for CPython 3.11 and later (the wheels).
FASTFM_C_CFLAGS="..."         more flags, for the compiler and the linker (sanitizers, warnings).
"""

import os
import shlex
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

TRANSLATION = {
    "build_dir": "build/cython",
    "force": True,
    "compiler_directives": {
        "language_level": 3,
        "boundscheck": False,
        "wraparound": False,
        "cdivision": True,
        "initializedcheck": False,
        "freethreading_compatible": True,
        "embedsignature": True,
        "embedsignature.format": "clinic",
    },
}
# No SIMD flags: each csrc/kernels/<level>.c sets its own target. Same bits everywhere: no fused operations.
FLAGS = {
    "unix": ["-std=c11", "-O3", "-g0", "-fvisibility=hidden", "-fno-math-errno", "-ffp-contract=off"],
    "msvc": ["/std:c11", "/O2", "/fp:precise"],
}
FLAGS_OF_GLUE = {"unix": ["-O2"], "msvc": []}  # what Cython writes is large, and no faster with more
MACROS = [
    ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
    ("NPY_TARGET_VERSION", "NPY_1_25_API_VERSION"),  # runs with NumPy 1.26
]
# Threads without the GIL have no limited API of their own yet.
ABI3 = os.environ.get("FASTFM_C_ABI3") == "1" and not sysconfig.get_config_var("Py_GIL_DISABLED")
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
        prefix = os.environ.get("FASTFM_C_OPENMP_PREFIX")
        include = [f"-I{prefix}/include"] if prefix else []
        lib = [f"-L{prefix}/lib", f"-Wl,-rpath,{prefix}/lib"] if prefix else []
        candidates = [
            ([*include, "-fopenmp"], [*lib, "-fopenmp"]),
            ([*include, "-Xpreprocessor", "-fopenmp"], [*lib, "-lomp"]),  # Apple clang
        ]
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


def in_parallel(compile, flags_of_glue):
    """`compile` with its sources shared out among threads."""

    def compile_all(sources, *args, extra_postargs, **kwargs):
        def compile_one(source):
            more = [] if source.startswith("csrc") else flags_of_glue
            return compile([source], *args, extra_postargs=extra_postargs + more, **kwargs)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [o for objects in pool.map(compile_one, sources) for o in objects]

    return compile_all


class BuildExt(build_ext):
    def finalize_options(self):
        super().finalize_options()
        self.force = True  # objects are not rebuilt for a changed flag otherwise

    def build_extensions(self):
        kind = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        compile_flags, link_flags = openmp_flags(self.compiler)
        extra = shlex.split(os.environ.get("FASTFM_C_CFLAGS", ""))
        # Kernels take longest, so they come first. cythonize would make copies of C files.
        c_files = sorted(map(str, Path("csrc").rglob("*.c")), key=lambda path: "kernels" not in path)
        for extension in self.extensions:
            [translated] = cythonize([extension], **TRANSLATION)
            extension.sources = c_files + translated.sources
            extension.extra_compile_args = FLAGS[kind] + compile_flags + extra
            extension.extra_link_args = link_flags + extra
        if kind == "msvc" and not self.compiler.initialized:
            self.compiler.initialize()  # by one thread
        self.compiler.compile = in_parallel(self.compiler.compile, FLAGS_OF_GLUE[kind])
        super().build_extensions()


core = Extension(
    "fastfm_c._core.core",
    ["fastfm_c/_core/core.pyx"],
    depends=sorted(str(p) for p in Path("csrc").rglob("*.h")),
    include_dirs=["csrc", numpy.get_include()],
    define_macros=MACROS + [("Py_LIMITED_API", "0x030B0000")] * ABI3,
    py_limited_api=ABI3,
    libraries=[] if os.name == "nt" else ["m"],
)
setup(
    ext_modules=[core],
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {},
)
