"""config, show_config, FASTFM_C_SIMD, and what `import fastfm_c` loads."""

import re
import sys

import pytest
from helpers.levels import LEVELS, at_level
from helpers.subprocesses import output_of, run

import fastfm_c
from fastfm_c import _core


def test_config():
    config = fastfm_c.config()
    assert list(config) == [
        "version",
        "simd",
        "simd_available",
        "openmp",
        "num_threads",
        "compiler",
    ]
    assert config["version"] == fastfm_c.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", config["version"])
    assert config["simd"] in config["simd_available"]
    assert config["simd_available"][0] == "baseline"
    assert set(config["simd_available"]) <= {"baseline", "avx2", "avx512"}
    assert isinstance(config["openmp"], bool)
    assert config["num_threads"] == fastfm_c.get_num_threads()
    assert re.match(r"gcc \d|clang \d|msvc|unknown", config["compiler"])


def test_config_is_a_copy():
    fastfm_c.config()["simd_available"].clear()
    assert fastfm_c.config()["simd_available"] == LEVELS


def test_show_config(capsys):
    assert fastfm_c.show_config() is None
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    config = fastfm_c.config()
    assert list(printed) == list(config)
    assert printed["version"] == config["version"]
    assert printed["simd"] == config["simd"]
    assert printed["simd_available"] == ", ".join(LEVELS)
    assert printed["num_threads"] == str(config["num_threads"])
    assert printed["compiler"] == config["compiler"]
    expected = "True" if config["openmp"] else "no: built without OpenMP, everything runs on one thread"
    assert printed["openmp"] == expected


SHOW = "import fastfm_c; print(fastfm_c.config()['simd'])"


@pytest.mark.parametrize("level", LEVELS)
def test_the_environment_chooses_the_level(level):
    assert output_of(SHOW, FASTFM_C_SIMD=level).strip() == level


@pytest.mark.parametrize("unset", [{}, {"FASTFM_C_SIMD": ""}])
def test_the_default_is_the_highest_level(unset):
    assert output_of(SHOW, **unset).strip() == LEVELS[-1]


@pytest.mark.parametrize("bad", ["sse9", "AVX2", "baseline ", "1"])
def test_an_unknown_level_names_the_choices(bad):
    done = run("import fastfm_c", FASTFM_C_SIMD=bad)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: FASTFM_C_SIMD={bad!r} is not available")
    assert last.endswith(": " + ", ".join(LEVELS))


def test_a_level_can_be_changed_for_tests():
    before = fastfm_c.config()["simd"]
    for name in LEVELS:
        with at_level(name):
            assert fastfm_c.config()["simd"] == name
    with pytest.raises(ImportError, match="not available"):
        _core._use_simd("nothing")
    assert fastfm_c.config()["simd"] == before


def test_import_is_light_and_silent():
    program = "import sys, fastfm_c; print(*sys.modules)"
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(done.stdout.split())
    assert "fastfm_c._core.core" in loaded
    heavy = {"sklearn", "pandas", "polars", "scipy.optimize", "scipy.stats", "joblib", "torch"}
    assert not loaded & heavy
    own = {name.removeprefix("fastfm_c") for name in loaded if name.startswith("fastfm_c")}
    rooms = {"_core", "encoding", "models", "persistence", "solvers", "text", "training"}
    modules = {
        "_column_scale",
        "_errors",
        "_field_csr",
        "_field_table",
        "_open_files",
        "_threads",
        "_validation",
        "_version",
        "losses",
    }
    assert {name.split(".")[1] for name in own if name} == rooms | modules


def test_modules_are_there_when_asked_for():
    program = """
import sys, fastfm_c
assert fastfm_c.interop.load_libfm_model and fastfm_c.reference.fm_score and fastfm_c.datasets
assert "sklearn" not in sys.modules and "sklearn" in dir(fastfm_c)
try:
    fastfm_c.what
except AttributeError as error:
    print(error)
"""
    done = run(program)
    assert (done.stdout, done.stderr) == ("module 'fastfm_c' has no attribute 'what'\n", "")


def test_the_estimators_are_there_when_asked_for():
    pytest.importorskip("sklearn")
    assert run("import fastfm_c; fastfm_c.sklearn.FMClassifier").returncode == 0


def test_every_public_name_is_in_all():
    public = {name for name in vars(fastfm_c) if not name.startswith("_")}
    modules = {name for name in public if f"fastfm_c.{name}" in sys.modules}
    assert public - modules == set(fastfm_c.__all__) - {"__version__"}
    assert len(fastfm_c.__all__) == len(set(fastfm_c.__all__))
    for name in fastfm_c.__all__:
        assert hasattr(fastfm_c, name)
