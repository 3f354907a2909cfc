"""Fields whose values are hashed: they have no vocabulary."""

from hashlib import blake2b
from typing import Any

from fastfm_c.encoding._column_types import Hashed
from fastfm_c.encoding._columns import Column, canonical
from fastfm_c.encoding._vocabulary import Field, first_of_consecutive

__all__ = ["HashedField", "hash_bucket"]


def hash_bucket(value: str | int | float | bool, n_bits: int) -> int:
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

    def observe(self, column: Column) -> None:
        for value in column.factorize()[1]:
            canonical(value, self.name)  # refuses some types

    def grow(self, observed: None, start: int) -> int:
        if self.first >= 0:
            return start
        self.first = start
        return start + (1 << self.n_bits)

    def feature_of(self, value: Any) -> int:
        value = canonical(value, self.name)
        return self.missing if value is None else self.first + hash_bucket(value, self.n_bits)

    def feature_names(self) -> list[str]:
        return self.first_names() + [f"{self.name}#{bucket}" for bucket in range(1 << self.n_bits)]

    def to_json(self) -> dict[str, Any]:
        return {}

    def restore(self, members: Any, features: list[int]) -> None:
        self.first = first_of_consecutive(features, 1 << self.n_bits)
