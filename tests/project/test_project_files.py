"""The files around the code say the same as the code: commands, versions, addresses, workflows."""

import configparser
import importlib.metadata
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import fastfm_c

ROOT = next((folder for folder in Path(__file__).parents if (folder / "pyproject.toml").exists()), Path())
# An sdist and the tests of a wheel have only some of these files.
needs_checkout = pytest.mark.skipif(
    not (ROOT / ".github").is_dir(), reason="an installed package, or an sdist: no .github/"
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pyproject():
    return tomllib.loads(text("pyproject.toml"))


def recipes():
    """The commands of each target that stands for no file."""
    [names] = re.findall(r"^\.PHONY: (.+)", text("Makefile"), re.MULTILINE)
    return {
        name: re.findall(rf"^{name}:.*\n((?:\t.*\n)*)", text("Makefile"), re.MULTILINE)
        for name in names.split()
        if name != "help"
    }


# ------------------------------------------------------------------------------- commands


@needs_checkout
def test_each_target_has_a_command_that_make_prints():
    for name, found in recipes().items():
        assert len(found) == 1, name
        assert found[0], name
        assert not re.search(r"^\t[@-]", found[0], re.MULTILINE), name


@needs_checkout
def test_contributing_lists_the_targets():
    assert re.findall(r"^\| `make ([\w-]+)` \|", text("CONTRIBUTING.md"), re.MULTILINE) == list(recipes())


@needs_checkout
def test_the_files_that_commands_name_are_there():
    commands = "".join(recipe for [recipe] in recipes().values())
    for name in ("Makefile", "SECURITY.md", *(path.relative_to(ROOT) for path in WORKFLOWS)):
        commands += text(name)
    named = set(re.findall(r"(?<![\w/.])(?:\.ci|bench|tests|tools)/[\w./-]*\w", commands))
    assert named >= {".ci/run", "tests/c/run.sh", "tools/fuzz_core.sh", "tools/fuzz_models.py"}
    assert {name for name in named if not (ROOT / name).exists()} == set()


@needs_checkout
@pytest.mark.skipif(os.name == "nt" or shutil.which("make") is None, reason="no make, or no POSIX shell")
def test_make_knows_its_targets():
    done = subprocess.run(
        ["make", "-n", "VENV=.venv", *recipes()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for command in (".venv/bin/pytest -q", "tests/c/run.sh", "clang-format --dry-run", ".ci/run"):
        assert command in done.stdout


def test_one_word_starts_the_main_job():
    """``fastfm-c`` is ``python -m fastfm_c``."""
    found = importlib.metadata.entry_points(group="console_scripts", name="fastfm-c")
    if not found:
        pytest.skip("not installed: a source tree")
    import fastfm_c.__main__ as main_module

    assert {entry.load() for entry in found} == {main_module.main}


def test_the_word_is_a_program(tmp_path):
    program = shutil.which("fastfm-c", path=sysconfig.get_path("scripts"))
    if program is None:
        pytest.skip("not installed: a source tree")
    outputs = [
        subprocess.run([*command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for command in ([program], [sys.executable, "-P", "-m", "fastfm_c"])
    ]
    assert "--threads N" in outputs[0]
    options = [output[output.index("options:") :] for output in outputs]
    assert options[0] == options[1]


# ----------------------------------------------------------------------------- one fact each


@needs_checkout
def test_the_citation_is_of_this_version():
    citation = text("CITATION.cff")
    assert re.findall(r"^version: (.+)", citation, re.MULTILINE) == [fastfm_c.__version__]
    assert re.findall(r"^license: (.+)", citation, re.MULTILINE) == [pyproject()["project"]["license"]]
    [authors] = re.findall(r"^authors:\n((?: .*\n)+)", citation, re.MULTILINE)
    names = [f"  - name: {author['name']}\n" for author in pyproject()["project"]["authors"]]
    assert authors == "".join(names)


@needs_checkout
def test_one_address_of_the_repository():
    urls = pyproject()["project"]["urls"]
    home = urls["Source"]
    assert all(url.startswith(home) for url in urls.values())
    assert re.findall(r"^repository-code: (.+)", text("CITATION.cff"), re.MULTILINE) == [home]
    report = f"{home}/security/advisories/new"
    assert report in text("SECURITY.md")
    assert report in text(".github/ISSUE_TEMPLATE/config.yml")


@needs_checkout
def test_the_sdist_has_what_a_reader_looks_for():
    listed = {
        name
        for line in text("MANIFEST.in").splitlines()
        if line.startswith("include ")
        for name in line.split()[1:]
    }
    expected = {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
    assert expected <= listed
    assert {name for name in listed if not (ROOT / name).exists()} == set()


@needs_checkout
def test_hooks_and_developers_run_the_same_versions():
    wanted = set(re.findall(r'additional_dependencies: \["(.+?)"\]', text(".pre-commit-config.yaml")))
    pinned = {r for r in pyproject()["project"]["optional-dependencies"]["dev"] if "==" in r}
    assert len(pinned) >= 2
    assert pinned <= wanted
    names = [requirement.partition("==")[0] for requirement in wanted]
    assert len(names) == len(set(names))  # one version of each


@needs_checkout
def test_wheels_are_built_and_listed_by_one_version():
    [listed] = re.findall(r'^CIBUILDWHEEL = "(.+?)"', text("tools/wheels.py"), re.MULTILINE)
    for name in (".ci/run", ".github/workflows/release.yml"):
        assert re.findall(r"\bcibuildwheel==([\d.]+)", text(name)) == [listed], name


@needs_checkout
def test_editors_break_lines_where_the_formatters_do():
    parser = configparser.ConfigParser()
    parser.read_string("[root]\n" + text(".editorconfig"))
    assert (
        parser["*.{py,pyi,pyx,pxd,pxi}"].getint("max_line_length")
        == pyproject()["tool"]["ruff"]["line-length"]
    )
    style = dict(re.findall(r"^(\w+): (.+)", text(".clang-format"), re.MULTILINE))
    assert parser["*.{c,h}"]["max_line_length"] == style["ColumnLimit"]
    assert parser["*"]["indent_size"] == style["IndentWidth"]


@needs_checkout
def test_the_page_about_stability_names_the_public_modules():
    [item] = re.findall(r"^- (The names in .+?)^- ", text("docs/stability.md"), re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`fastfm_c\.([a-z]\w*)`", item))
    modules = {m.name for m in pkgutil.iter_modules(fastfm_c.__path__) if not m.name.startswith("_")}
    assert named == modules
    for name in sorted(modules - {"dask", "sklearn"}):  # whose imports need Dask and scikit-learn
        assert getattr(fastfm_c, name).__all__


# ------------------------------------------------------------------------------ workflows


def workflow(path):
    return pytest.importorskip("yaml").safe_load(path.read_text(encoding="utf-8"))


@needs_checkout
def test_there_are_workflows():
    assert {path.stem for path in WORKFLOWS} >= {"release", "test"}


@each_workflow
def test_a_job_may_do_only_what_it_says(path):
    """No permission is given to a whole workflow, and a job that hangs ends."""
    content = workflow(path)
    assert content["permissions"] == {}
    for name, job in content["jobs"].items():
        assert isinstance(job["permissions"], dict), name
        writes = {scope for scope, access in job["permissions"].items() if access != "read"}
        assert writes <= ({"id-token"} if name == "publish" else set()), name
        assert job["timeout-minutes"] > 0, name


@each_workflow
def test_runs_do_not_pile_up(path):
    content = workflow(path)
    assert "github.ref" in content["concurrency"]["group"]
    assert content["concurrency"]["cancel-in-progress"] is (path.stem != "release")
    triggers = content[True]  # YAML 1.1 reads `on` as true
    if "pull_request" in triggers:
        assert triggers["push"]["branches"] == ["main"]


@each_workflow
def test_actions_are_pinned_and_leave_no_credentials(path):
    steps = [step for job in workflow(path)["jobs"].values() for step in job["steps"]]
    uses = [step["uses"] for step in steps if "uses" in step]
    assert uses
    unpinned = [action for action in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)]
    assert unpinned == (["pypa/gh-action-pypi-publish@release/v1"] if path.stem == "release" else [])
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@each_workflow
def test_programs_take_no_text_from_expressions(path):
    """``${{ }}`` in a program is pasted into it; an environment variable is data."""
    steps = [step for job in workflow(path)["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_every_package_is_installed():
    """setuptools takes the packages that are named, and no others."""
    named = tomllib.loads(text("pyproject.toml"))["tool"]["setuptools"]["packages"]
    folders = {path.parent.name for path in Path(fastfm_c.__file__).parent.glob("*/__init__.py")}
    assert set(named) == {"fastfm_c", *(f"fastfm_c.{folder}" for folder in folders)}
