"""Docstrings: every public name has one, with its sections, and its examples run."""

import dataclasses
import doctest
import importlib
import importlib.resources
import inspect
import re

import numpy as np
import pytest
import scipy.sparse

import fastfm_c

MODULES = [
    "fastfm_c.reference",
    "fastfm_c.datasets.adult",
    "fastfm_c.training._lbfgs",
    "fastfm_c.training",
    "fastfm_c.interop",
    "fastfm_c.inspection",
    "fastfm_c.serving",
    "fastfm_c.encoding",
]


def public_attributes(kind):
    """But for those of Python's exceptions, SciPy and NumPy's arrays, fields, which are parameters of their
    dataclass, and plain data, which the class documents."""
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    others = {field.name for field in fields} | set(dir(BaseException)) | set(dir(scipy.sparse.csr_array))
    others |= set(dir(np.ndarray)) if issubclass(kind, np.ndarray) else set()
    public = [name for name in dir(kind) if not name.startswith("_") and name not in others]
    return [name for name in public if not isinstance(getattr(kind, name), int | tuple)]


def public_objects():
    """(name, object) of all that a user may call: functions, classes, methods, properties."""
    for name in fastfm_c.__all__:
        thing = getattr(fastfm_c, name)
        if isinstance(thing, str):
            continue
        yield name, thing
        if isinstance(thing, type):
            for attribute in public_attributes(thing):
                yield f"{name}.{attribute}", getattr(thing, attribute)
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            yield f"{module_name}.{name}", getattr(module, name)


OBJECTS = dict(public_objects())
CALLABLE = {name: thing for name, thing in OBJECTS.items() if callable(thing)}


def sections(thing):
    return re.findall(r"^ *(\w+)\n *-{3,}$", inspect.getdoc(thing), re.MULTILINE)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_docstring_begins_with_a_sentence(name):
    text = re.sub(r"^\w+\(.*\)\n+", "", inspect.getdoc(OBJECTS[name]))  # an embedded signature
    first = text.split("\n\n")[0]
    assert first.rstrip("`")[-1] in ".:", first


@pytest.mark.parametrize("name", OBJECTS)
def test_a_docstring_names_no_private_thing(name):
    assert re.findall(r"\b_[A-Z]\w+", inspect.getdoc(OBJECTS[name])) == []


@pytest.mark.parametrize("name", CALLABLE)
def test_parameters_are_documented(name):
    thing = CALLABLE[name]
    try:
        signature = inspect.signature(thing).parameters
        # **options are those of a base class, or documented as such.
        parameters = [p for p, kind in signature.items() if p != "self" and kind.kind != kind.VAR_KEYWORD]
    except ValueError:  # a class without a signature
        parameters = []
    documented = dataclasses.is_dataclass(thing) or re.search(
        r"def __init__|Parameters", inspect.getdoc(thing)
    )
    if isinstance(thing, type) and not documented:
        return
    text = inspect.getdoc(thing)
    if "Parameters and errors are those of" in text or "in one pass" in text:
        return
    for parameter in parameters:
        assert re.search(rf"^ *(\w+, )*(\*\*)?{parameter}(, \w+)*( : .*)?$", text, re.MULTILINE), parameter
    if parameters:
        section = "Attributes" if name == "fastfm_c.datasets.adult.Adult" else "Parameters"
        assert section in sections(thing)


@pytest.mark.parametrize("name", [n for n, t in CALLABLE.items() if not isinstance(t, type)])
def test_results_are_documented(name):
    silent = ("set_num_threads", "show_config", "FM.copy", "FFM.copy", "save")
    silent = name in silent or name.endswith(".resize") or ".dump_" in name
    assert silent or {"Returns", "Yields"} & set(sections(CALLABLE[name]))


@pytest.mark.parametrize("name", ["FM", "FFM", "LogisticLoss", "SoftmaxLoss", "SquaredLoss", *MODULES])
def test_examples_are_there(name):
    if name in MODULES:
        names = [n for n in OBJECTS if n.startswith(name + ".") and not isinstance(OBJECTS[n], type)]
    else:
        names = [name]
    for each in names:
        assert "Examples" in sections(OBJECTS[each]), each


@pytest.mark.parametrize("name", [n for n, t in OBJECTS.items() if ">>>" in (inspect.getdoc(t) or "")])
def test_examples_run(name):
    thing = OBJECTS[name]
    module = inspect.getmodule(thing)
    names = dict(vars(module)) if module is not None else {}
    text = inspect.getdoc(thing)
    if np.dtype(int) == np.int32:  # Windows before NumPy 2: not worth a word in a repr
        text = text.replace(", dtype=int32", "")
    test = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    assert test.examples
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report = []
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


def test_modules_have_docstrings():
    for name in [
        "fastfm_c",
        "fastfm_c._core",
        "fastfm_c._core.core",
        "fastfm_c._threads",
        "fastfm_c._validation",
        *MODULES,
    ]:
        assert len(importlib.import_module(name).__doc__) > 40


def test_the_types_ship():
    package = importlib.resources.files("fastfm_c")
    assert package.joinpath("py.typed").is_file()
    assert package.joinpath("_core/core.pyi").is_file()
