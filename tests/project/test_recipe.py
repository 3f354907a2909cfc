"""The recipe for conda-forge says what pyproject.toml says."""

import re
import tomllib
from pathlib import Path

import pytest

import fastfm_c

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "conda-recipe" / "recipe.yaml"
pytestmark = pytest.mark.skipif(not RECIPE.is_file(), reason="no conda-recipe/ here")
# What the format (schema_version 1) knows at the top.
PARTS = {
    "schema_version", "context", "package", "source", "build", "requirements", "tests", "about", "extra",
}  # fmt: skip


@pytest.fixture(scope="module")
def recipe():
    return pytest.importorskip("yaml").safe_load(RECIPE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def specs(requirements):
    """Of Python packages, as the recipe writes them: without conditions and compilers."""
    return {entry for entry in requirements if isinstance(entry, str) and not entry.startswith("$")}


def as_conda(requirement):
    """scikit-learn>=1.6 as conda has it: scikit-learn >=1.6."""
    name, bounds = re.fullmatch(r"([\w-]+)(.*)", requirement.partition(";")[0].strip()).groups()
    return f"{name.lower()} {bounds}".strip()


def test_the_parts(recipe):
    assert set(recipe) == PARTS
    assert recipe["schema_version"] == 1


def test_name_and_version(recipe, project):
    assert recipe["context"]["name"] == project["project"]["name"]
    assert recipe["context"]["version"] == fastfm_c.__version__
    assert recipe["package"] == {"name": "${{ name }}", "version": "${{ version }}"}
    assert ">=" + recipe["context"]["python_min"] == project["project"]["requires-python"]


def test_requirements(recipe, project):
    wanted = {as_conda(requirement) for requirement in project["project"]["dependencies"]}
    assert specs(recipe["requirements"]["run"]) == wanted | {"python"}
    built = {as_conda(requirement) for requirement in project["build-system"]["requires"]}
    assert specs(recipe["requirements"]["host"]) == built | {"python", "pip"}
    extras = project["project"]["optional-dependencies"]
    optional = {as_conda(r) for name in ("sklearn", "dataframe", "onnx") for r in extras[name]}
    assert specs(recipe["requirements"]["run_constraints"]) == optional


def test_facts_about_the_project(recipe, project):
    about, facts = recipe["about"], project["project"]
    assert about["license"] == facts["license"]
    assert [about["license_file"]] == facts["license-files"]
    assert (ROOT / about["license_file"]).is_file()
    assert about["summary"] == facts["description"]
    assert about["repository"] == facts["urls"]["Source"]
    assert about["documentation"] == facts["urls"]["Documentation"]
    [[command, target]] = [entry.split(" = ") for entry in recipe["build"]["python"]["entry_points"]]
    assert facts["scripts"] == {command: target}


def test_names_in_braces_are_known(recipe):
    """Of the context, or functions and variables of the format."""
    known = {*recipe["context"], "PYTHON", "compiler", "stdlib", "target_platform"}
    used = set(re.findall(r"\$\{\{ (\w+)", RECIPE.read_text(encoding="utf-8")))
    assert used <= known


def test_imports_are_there(recipe):
    [imports] = [test["python"]["imports"] for test in recipe["tests"] if "python" in test]
    for name in imports:
        assert name == "fastfm_c" or hasattr(__import__(name), name.split(".")[1])
