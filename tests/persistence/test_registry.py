"""A class that files can hold takes one line of the table and a module with two functions."""

import sys
import types
from importlib import import_module

import numpy as np
import pytest

from fastfm_c import FM, load, save
from fastfm_c.persistence._json import json_member, require_no_more
from fastfm_c.persistence._registry import KINDS, Kind


class Words:
    """An object with JSON values, arrays and a part."""

    def __init__(self, words, counts, model):
        self.words, self.counts, self.model = words, counts, model


def to_state(obj, writer):
    writer.tensor("counts", obj.counts)
    writer.json_tensor("words", obj.words)
    return {"rate": 0.5, "model": writer.state(obj.model, "model")}


def from_state(create, state, reader):
    assert json_member(state, "rate", float) == 0.5
    model = reader.object(json_member(state, "model", dict), "model", "model")
    return create(reader.json_tensor("words"), reader.tensor("counts", "i", 1), model)


@pytest.fixture
def words(monkeypatch):
    """An object of a class that is registered by one line."""
    home, state = types.ModuleType("words"), types.ModuleType("words_state")
    home.Words, state.to_state, state.from_state = Words, to_state, from_state
    monkeypatch.setitem(sys.modules, "words", home)
    monkeypatch.setitem(sys.modules, "words_state", state)
    monkeypatch.setitem(KINDS, "Words", Kind("words", "words", "words_state"))
    return Words(["a", "b\u20ac\ud800"], np.arange(3), FM.random(2, 1, rng=0))


@pytest.mark.parametrize("mmap", [True, False])
def test_a_registered_object_comes_back(tmp_path, words, mmap):
    path = tmp_path / "file"
    save({"words": words, "model": words.model}, path)
    both = load(path, mmap)
    assert both["words"].model is both["model"]
    assert both["model"] == words.model
    assert both["words"].words == words.words
    assert both["words"].counts.tolist() == [0, 1, 2]
    assert both["words"].counts.flags.writeable == (not mmap)


@pytest.mark.parametrize("left", ["member", "tensor", "absent"])
def test_what_does_not_fit_is_a_value_error(tmp_path, words, monkeypatch, left):
    """What its module does not read, and what it reads without success."""
    if left == "member":
        read, message = to_state, r"the Words '' has unknown members \['more'\]"
        monkeypatch.setattr("words_state.to_state", lambda obj, writer: read(obj, writer) | {"more": 1})
    else:
        name = "words" if left == "absent" else "more"

        def write(obj, writer):
            writer.tensor(name, obj.counts)
            return {"rate": 0.5, "model": writer.state(obj.model, "model")}

        monkeypatch.setattr("words_state.to_state", write)
        message = r"tensor 'words' is of dtype int64" if left == "absent" else "tensor 'words' is absent"
    save(words, tmp_path / "file")
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "file")


@pytest.mark.parametrize("name", ["__metadata__", "__padding_3__"])
def test_reserved_names(tmp_path, words, monkeypatch, name):
    monkeypatch.setattr("words_state.to_state", lambda obj, writer: writer.tensor(name, obj.counts) or {})
    with pytest.raises(ValueError, match=f"tensor '{name}' has a name that the format needs"):
        save(words, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_every_line_of_the_table_is_true():
    pytest.importorskip("sklearn")
    for name, kind in KINDS.items():
        if name == "_TemperatureScaling" and not hasattr(import_module(kind.home), name):
            continue  # since scikit-learn 1.8
        assert kind.class_named(name).__name__ == (kind.class_name or name)
        module = kind.state_module()
        assert callable(module.to_state)
        assert callable(module.from_state)
        if kind.group != "scikit-learn":
            assert (kind.class_name or name) in import_module(kind.home).__all__


def test_members():
    assert json_member({"a": 1}, "a", int) == 1
    assert json_member({}, "a", int, type(None)) is None
    for members, message in (
        ({"a": True}, "a is True, expected int or float"),
        ({}, "a is None, expected int or float"),
        ([], r"found \[\], expected an object with the member a"),
    ):
        with pytest.raises(ValueError, match=message):
            json_member(members, "a", int, float)
    require_no_more({}, "it")
    for members in ({"a": 1}, [], 3, None):
        with pytest.raises(ValueError, match=r"^it (has unknown members|is .* expected an object)"):
            require_no_more(members, "it")
