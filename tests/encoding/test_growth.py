"""What an encoder keeps: buckets that never change, features that partial_fit appends, its state."""

import copy
import json
import pickle

import numpy as np
import pytest
from helpers.encoders import ROWS, TYPES
from helpers.states import encoder_of, meta_and_tensors
from helpers.subprocesses import output_of
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FieldEncoder
from fastfm_c.encoding import Categorical, Hashed, MultiCategorical, Numeric
from fastfm_c.encoding._hashed import hash_bucket

pd = pytest.importorskip("pandas")

WORD = (1 << 64) - 1
IV = [  # RFC 7693, section 2.6
    0x6A09E667F3BCC908,
    0xBB67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0xA54FF53A5F1D36F1,
    0x510E527FADE682D1,
    0x9B05688C2B3E6C1F,
    0x1F83D9ABFB41BD6B,
    0x5BE0CD19137E2179,
]


def blake2b_of_one_block(data, size):
    """BLAKE2b of up to 128 bytes without a key, as section 3 writes it down."""
    sigma = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ]
    block = data + bytes(128 - len(data))
    m = [int.from_bytes(block[i : i + 8], "little") for i in range(0, 128, 8)]
    h = [IV[0] ^ 0x01010000 ^ size, *IV[1:]]
    v = h + IV
    v[12] ^= len(data)
    v[14] ^= WORD

    def rotate(x, n):
        return (x >> n | x << (64 - n)) & WORD

    def mix(a, b, c, d, x, y):
        v[a] = (v[a] + v[b] + x) & WORD
        v[d] = rotate(v[d] ^ v[a], 32)
        v[c] = (v[c] + v[d]) & WORD
        v[b] = rotate(v[b] ^ v[c], 24)
        v[a] = (v[a] + v[b] + y) & WORD
        v[d] = rotate(v[d] ^ v[a], 16)
        v[c] = (v[c] + v[d]) & WORD
        v[b] = rotate(v[b] ^ v[c], 63)

    for s in [*sigma, *sigma[:2]]:
        for i in range(4):
            mix(i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]])
        for i in range(4):
            mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]], m[s[9 + 2 * i]])
    return b"".join((h[i] ^ v[i] ^ v[i + 8]).to_bytes(8, "little") for i in range(8))[:size]


def test_the_oracle_gives_the_published_hash_of_abc():
    published = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"  # RFC 7693, appendix A
    assert blake2b_of_one_block(b"abc", 64).hex().startswith(published)


@pytest.mark.parametrize("text", ["", "abc", "Zürich", "x" * 128])
@pytest.mark.parametrize("n_bits", [1, 10, 28])
def test_a_bucket_is_the_low_bits_of_the_published_hash(text, n_bits):
    whole = int.from_bytes(blake2b_of_one_block(text.encode(), 8), "little")
    assert hash_bucket(text, n_bits) == whole % 2**n_bits


def test_hashed_columns():
    encoder = FieldEncoder({"h": Hashed(6)}).fit([{"h": "a"}])
    assert encoder.fields_.tolist() == [0] * 65
    assert encoder.get_feature_names_out()[[0, 1, 64]].tolist() == ["h=<unknown>", "h#0", "h#63"]
    values = ["a", "7", 7, 7.0, np.int8(7), True, 1, -2.5, 1e22, None]
    texts = ["a", "7", "7", "7", "7", "1", "1", "-2.5", "1" + "0" * 22]
    rows = [{"h": value} for value in values]
    wanted = [1 + hash_bucket(text, 6) for text in texts] + [0]
    assert encoder.transform(rows).indices.tolist() == wanted
    assert [encoder.encode_row(row)[0][0] for row in rows] == wanted
    assert encoder.unknown_counts_ == {"h": 0}
    assert encoder.missing_counts_ == {"h": 2}  # of transform and of encode_row
    own = FieldEncoder({"h": Hashed(6)}, missing="own").fit(rows)
    assert own.transform(rows).indices.tolist() == [j + 1 for j in wanted[:-1]] + [1]
    assert encoder.partial_fit([{"h": "more"}]).fields_.size == 65


def test_buckets_are_the_same_in_another_process():
    """These numbers must never change: models are stored with them."""
    program = """
from fastfm_c import FieldEncoder
from fastfm_c.encoding import Hashed
rows = [{"h": v} for v in ("a", "Zürich", 42, 0.5, "")]
print(FieldEncoder({"h": Hashed(20)}).fit_transform(rows).indices.tolist())
"""
    wanted = [1 + hash_bucket(text, 20) for text in ("a", "Zürich", "42", "0.5", "")]
    for seed in ("0", "1"):
        assert json.loads(output_of(program, PYTHONHASHSEED=seed)) == wanted
    assert wanted == [981057, 554097, 832600, 317220, 42725]


@given(st.lists(st.sampled_from(["a", "b", "c", 1, 2, 2.5, None]), min_size=1, max_size=9), st.data())
def test_partial_fit_appends_and_moves_nothing(values, data):
    rows = [{"c": v, "m": [v, "z"], "x": i} for i, v in enumerate(values)]
    cut = data.draw(st.integers(1, len(rows)))
    columns = {"c": Categorical(min_count=2), "m": MultiCategorical(), "x": Numeric()}
    encoder = FieldEncoder(columns, dtype="float64").partial_fit(rows[:cut])
    X, names, fields = encoder.transform(rows[:cut]), encoder.get_feature_names_out(), encoder.fields_
    known = X.indices[np.isin(X.indices, [j for j, n in enumerate(names) if n != "c=<unknown>"])]
    assert encoder.partial_fit(rows[cut:]) is encoder
    assert encoder.get_feature_names_out()[: len(names)].tolist() == names.tolist()
    assert encoder.fields_[: len(fields)].tolist() == fields.tolist()
    again = encoder.transform(rows[:cut])
    assert set(known) <= set(again.indices)
    x = [names.tolist().index("x")]
    np.testing.assert_array_equal(again[:, x].toarray(), X[:, x].toarray())
    # The same categories as in one fit, though in another order; rare values have counted on.
    whole = FieldEncoder(columns, dtype="float64").fit(rows)
    assert sorted(encoder.get_feature_names_out()) == sorted(whole.get_feature_names_out())
    order = [[*encoder.get_feature_names_out()].index(name) for name in whole.get_feature_names_out()]
    kept = [k for k, name in enumerate(whole.get_feature_names_out()) if name != "x"]
    np.testing.assert_array_equal(
        encoder.transform(rows)[:, order][:, kept].toarray(), whole.transform(rows)[:, kept].toarray()
    )


def test_partial_fit_by_hand():
    encoder = FieldEncoder({"c": Categorical(max_categories=3), "d": "categorical"})
    encoder.partial_fit([{"c": "m", "d": 1}]).partial_fit([{"c": "z", "d": 1}, {"c": "a"}])
    encoder.partial_fit([{"c": "b"}] * 9 + [{"d": 0}])
    assert encoder.get_feature_names_out().tolist() == (
        ["c=<unknown>", "c=m", "d=<unknown>", "d=1", "c=a", "c=z", "d=0"]
    )
    assert encoder.fields_.tolist() == [0, 0, 1, 1, 0, 0, 1]
    indices, _ = encoder.encode_row({"c": "z", "d": 0})
    assert indices.tolist() == [5, 6]
    assert encoder.transform([{"c": "z", "d": 0}]).indices.tolist() == [5, 6]


def test_rare_values_count_on_until_there_is_no_room():
    encoder = FieldEncoder(min_count=2, max_categories=2)
    for values in ("aab", "cd", "b", "ccdd"):
        encoder.partial_fit([{"c": value} for value in values])
    assert encoder.get_feature_names_out().tolist() == ["c=<unknown>", "c=a", "c=b"]
    assert json.loads(meta_and_tensors(encoder)[1]["vocabulary"].tobytes()) == [
        {"categories": ["a", "b"], "rare": []}
    ]


def test_partial_fit_that_fails_changes_nothing():
    encoder = FieldEncoder({"c": "categorical", "d": "categorical"}).fit([{"c": "a", "d": "a"}])
    with pytest.raises(ValueError, match="'d' holds"):
        encoder.partial_fit([{"c": "new", "d": b"bytes"}])
    assert encoder.partial_fit([{"c": "b", "d": "b"}]).get_feature_names_out()[4:].tolist() == ["c=b", "d=b"]


def test_fit_forgets():
    encoder = FieldEncoder().fit([{"a": "x"}])
    assert encoder.fit([{"b": 2.0}]).get_feature_names_out().tolist() == ["b=<unknown>", "b"]


ALL_TYPES = TYPES | {"size": Numeric(bins=3), "flag": "auto", "id": Hashed(4, missing="own")}


def stored(encoder):
    meta, tensors = meta_and_tensors(encoder)
    assert all(isinstance(tensor, np.ndarray) for tensor in tensors.values())
    return json.loads(json.dumps(meta)), tensors


COPIES = {
    "state": lambda encoder: encoder_of(*stored(encoder)),
    "pickle": lambda encoder: pickle.loads(pickle.dumps(encoder)),
    "copy": copy.deepcopy,
}


@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize("columns", [None, ALL_TYPES, list(TYPES)[:3]])
def test_a_copy_goes_on_as_the_original(make, columns):
    rows = [row | {"more": 0.1 * i} for i, row in enumerate(ROWS)]
    encoder = FieldEncoder(columns, min_count=2, missing="own", dtype="float64").partial_fit(rows[:2])
    encoder.partial_fit(rows[2:3])
    other = COPIES[make](encoder)
    new = [row | {"word": "neu", "many": 5} for row in rows]
    for _ in range(2):
        A, B = encoder.transform(rows), other.transform(pd.DataFrame(rows))
        for name in ("indptr", "indices", "data", "fields"):
            np.testing.assert_array_equal(getattr(A, name), getattr(B, name))
        assert other.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
        assert [*map(str, other.encode_row(rows[3]))] == [*map(str, encoder.encode_row(rows[3]))]
        encoder.partial_fit(new)
        other.partial_fit(new)
    if make != "state" or not isinstance(columns, list):
        assert other.get_params() == encoder.get_params()
    with pytest.raises(ValueError, match="'other'"):
        COPIES[make](FieldEncoder().fit([{"a": "x"}])).encode_row({"other": "x"})
