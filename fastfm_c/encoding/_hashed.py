"""Fields whose values are hashed: they have no vocabulary."""

from hashlib import blake2b
from typing import Any

import numpy as np

from fastfm_c._field_csr import Encoded
from fastfm_c.encoding._column_types import Hashed
from fastfm_c.encoding._columns import Column
from fastfm_c.encoding._values import Category, canonical, shortest
from fastfm_c.encoding._vocabulary import Field, Row, Rows, first_of_consecutive
from fastfm_c.persistence._json import json_member

__all__ = ["HashedField", "hash_bucket"]


def hash_bucket(value: Category, n_bits: int) -> int:
    """The bucket of a value: the lowest bits of the 64-bit BLAKE2b hash (RFC 7693) of its text in UTF-8.

    The digest is read as a little-endian number. Python's ``str`` makes the text of a number; a whole number
    has no point, and True and False are 1 and 0.
    """
    text = value if isinstance(value, str) else str(int(value) if isinstance(value, bool) else value)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") & ((1 << n_bits) - 1)


class HashedField(Field[Hashed, None]):
    """A field of ``2**n_bits`` features, which all values share."""

    def __init__(self, name: str, spec: Hashed) -> None:
        super().__init__(name, spec)
        self.n_bits = spec.n_bits
        self.first = -1  # the feature of bucket 0
        # A float32 has the text of its shortest number. Older files hashed all the digits of its float64.
        self.is_shortened = True

    def plan(self, column: Column) -> tuple[None, int]:
        for value in column.factorize()[1]:
            canonical(value, self.name)  # refuses some types
        return None, 0 if self.first >= 0 else 1 << self.n_bits

    def take(self, plan: None, start: int) -> None:
        if self.first < 0:
            self.first = start

    def feature_of(self, value: Any) -> int:
        """The feature of a single value; -1 if it is missing."""
        category = canonical(value, self.name)
        if category is None:
            return -1
        if isinstance(category, float):
            category = shortest(category) if self.is_shortened else float(value)
        return self.first + hash_bucket(category, self.n_bits)

    def encode(self, column: Column) -> Rows:
        codes, distinct = column.factorize()
        features = np.array([*map(self.feature_of, distinct), -1], np.int32)[codes]
        is_missing = features < 0
        features[is_missing] = self.missing
        return Rows(Encoded(features, None, None), 0, int(np.count_nonzero(is_missing)))

    def encode_value(self, value: Any) -> Row:
        feature = self.feature_of(value)
        return Row((feature,), (1.0,)) if feature >= 0 else self.row_of_missing

    def feature_names(self) -> list[str]:
        return self.first_names() + [f"{self.name}#{bucket}" for bucket in range(1 << self.n_bits)]

    def to_json(self) -> dict[str, Any]:
        return {"floats": "shortest"} if self.is_shortened else {}

    def restore(self, members: Any, features: list[int]) -> None:
        floats = json_member(members, "floats", str, type(None))
        if floats not in (None, "shortest"):
            raise ValueError(f"floats is {floats!r}, expected 'shortest'")
        self.is_shortened = floats is not None
        self.first = first_of_consecutive(features, 1 << self.n_bits)
