"""What a file holds of a FieldEncoder: a state that no encoder has written is refused."""

import json

import numpy as np
import pytest
from helpers.encoders import ROWS, TYPES
from helpers.states import encoder_of, meta_and_tensors
from hypothesis import given, settings
from hypothesis import strategies as st

from fastfm_c import FieldEncoder
from fastfm_c.encoding import Hashed, Numeric

ENCODER = FieldEncoder(TYPES | {"size": Numeric(bins=2), "hash": Hashed(2)}, min_count=2)
ENCODER.fit([row | {"hash": None} for row in ROWS])


def state():
    meta, tensors = meta_and_tensors(ENCODER)
    return json.loads(json.dumps(meta)), tensors, json.loads(tensors["vocabulary"].tobytes())


def load(meta, tensors, vocabulary=None):
    if vocabulary is not None:
        tensors = tensors | {"vocabulary": np.frombuffer(json.dumps(vocabulary).encode(), np.uint8)}
    return encoder_of(meta, tensors)


JUNK = st.sampled_from(
    [None, True, -1, 0, 1, 1e999, float("nan"), 2**70, "", "x", [], [[]], [[1, 2]], {}, {"kind": 1}]
)


def places(value, path=()):
    """The way to everything in nested JSON."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@settings(max_examples=300)
@given(st.data())
def test_a_hostile_state_is_refused_or_encodes(data):
    """With any entry replaced or left out, loading raises ValueError, or the encoder is sound."""
    meta, tensors, vocabulary = state()
    whole = {"meta": meta, "vocabulary": vocabulary}
    *way, last = data.draw(st.sampled_from(list(places(whole))[1:]))
    target = whole
    for key in way:
        target = target[key]
    if data.draw(st.booleans()):
        target[last] = data.draw(JUNK)
    else:
        del target[last]
    fields = tensors["fields"].copy()
    if data.draw(st.booleans()):
        fields[data.draw(st.integers(0, len(fields) - 1))] = data.draw(
            st.sampled_from([-1, 0, 5, 6, 7, 2**31 - 1])
        )
    try:
        encoder = load(whole.get("meta"), tensors | {"fields": fields}, whole.get("vocabulary", 3))
    except ValueError:
        return
    X = encoder.transform(ROWS) if not encoder._learned.only else encoder.transform([])
    assert X.indices.max(initial=0) < len(encoder.fields_)
    X.check_format()


FIELDS_, TENSORS_ = np.zeros(3, np.int32), state()[1]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "tensor 'fields' is absent"),
        ({"fields": np.zeros(3)}, "tensor 'fields' is of dtype float64"),
        ({"fields": np.zeros((1, 3), np.int32)}, "tensor 'fields' has shape"),
        ({"fields": np.full(20, 9, np.int32)}, r"fields\[0\] is 9, expected 0 <= field < 7"),
        ({"fields": FIELDS_}, "tensor 'vocabulary' is absent"),
        ({"fields": FIELDS_, "vocabulary": np.full(3, 255, np.uint8)}, "'vocabulary' is not sound JSON"),
        ({"fields": FIELDS_, "vocabulary": np.full(9**6, ord("["), np.uint8)}, "'vocabulary' is not sound"),
        (
            {"fields": FIELDS_, "vocabulary": np.array([ord("1")], np.uint8)},
            "vocabulary is 1, expected a list",
        ),
        (
            {"fields": FIELDS_, "vocabulary": np.array([91, 93], np.uint8)},
            r"vocabulary is \[\], expected .* 7",
        ),
        (TENSORS_ | {"more": FIELDS_}, r"tensors \['more'\] belong to nothing"),
    ],
)
def test_hostile_tensors(tensors, message):
    with pytest.raises(ValueError, match=message):
        encoder_of(state()[0], tensors)


@pytest.mark.parametrize(
    ("field", "entry", "value", "message"),
    [
        (0, "categories", ["a", "b", "c"], "field 'word': categories has 3 values, fields columns for 1"),
        (1, "categories", [[1]], r"field 'id': column 'id' holds \[1\]"),
        (1, "categories", 3, "field 'id': categories is 3, expected list"),
        (1, "more", 3, r"field 'id': vocabulary has unknown members \['more'\]"),
        (1, "rare", [[3, 1]], "field 'id': categories and rare must hold different values"),
        (1, "rare", [[9, 1.5]], "pairs of a value and a positive integer"),
        (3, "edges", [float("nan")], "field 'size': edges holds nan, expected finite numbers"),
        (3, "edges", [1.0, 2.0], "field 'size': fields has 2 columns of it, expected 3 side by side"),
        (3, "scale", 0, "field 'size': scale must be > 0"),
    ],
)
def test_hostile_vocabulary(field, entry, value, message):
    meta, tensors, vocabulary = state()
    vocabulary[field][entry] = value
    with pytest.raises(ValueError, match=message):
        load(meta, tensors, vocabulary)


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("columns", 3, "columns is 3, expected list or NoneType"),
        ("columns", [["a"]], "columns must be a list of pairs"),
        ("min_count", None, "min_count is None, expected int"),
        ("min_count", 0, "min_count must be a positive integer, got 0"),
        ("max_categories", True, "max_categories is True, expected int or NoneType"),
        ("missing", "maybe", "missing must be one of"),
        ("dtype", "int32", "dtype must be float32 or float64"),
        ("only", 1, "only is 1, expected bool"),
        ("fields", [], "fields must be a list of pairs"),
        ("fields", [["a", {"kind": "text"}]], r"columns\['a'\] is .* expected a kind among"),
        ("fields", [["a", {"kind": "hashed", "more": 1}]], r"columns\['a'\] has the unknown option 'more'"),
        ("more", 1, r"meta has unknown members \['more'\]"),
    ],
)
def test_hostile_meta(member, value, message):
    meta, tensors, _ = state()
    with pytest.raises(ValueError, match=message):
        load(meta | {member: value}, tensors)
