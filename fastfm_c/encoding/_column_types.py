"""The types of columns of `FieldEncoder`: their parameters, checked, and as JSON."""

import operator
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeAlias

from fastfm_c._validation import as_count

__all__ = [
    "Categorical",
    "Hashed",
    "MultiCategorical",
    "Numeric",
    "Spec",
    "from_json",
    "names_of",
    "plain",
    "resolve",
    "to_json",
    "type_name",
]

MOST_BITS = 28  # the fields of 2**28 features take 1 GiB


@dataclass(frozen=True)
class Categorical:
    """A column of `FieldEncoder` with one feature for each value.

    Parameters
    ----------
    min_count : int, optional
        Values that occur less often share the unknown feature. Default, as for the others: the encoder's.
    max_categories : int, optional
        At most this many values, the most frequent, have features of their own.
    missing : {"unknown", "own"}, optional
        Whether missing values share the unknown feature or have one of their own.
    """

    min_count: int | None = None
    max_categories: int | None = None
    missing: str | None = None


@dataclass(frozen=True)
class MultiCategorical(Categorical):
    """A column of `FieldEncoder` that holds lists of values, with one feature for each value.

    A row has each of its features once; the order of the list does not matter. An empty list has none.

    Parameters
    ----------
    scale : {None, "sqrt"}
        "sqrt" divides a row's values by the square root of the number of its features in this column.
    min_count, max_categories, missing
        As for `Categorical`. An element counts each time it occurs.
    """

    scale: str | None = None


@dataclass(frozen=True)
class Numeric:
    """A column of `FieldEncoder` that holds numbers.

    Parameters
    ----------
    bins : int, optional
        The largest number of bins. Each bin is a feature and has about equally many values; a frequent
        number has a bin of its own. Numbers outside belong to the first and the last bin. None: one feature
        whose value is ``(x - mean) / standard deviation``, 0 if all numbers were equal.
    missing : {"unknown", "own"}, optional
        As for `Categorical`.
    """

    bins: int | None = None
    missing: str | None = None


@dataclass(frozen=True)
class Hashed:
    """A column of `FieldEncoder` whose values are hashed. No value is unknown and none is stored.

    The bucket of a value is the lowest bits of the 64-bit BLAKE2b hash (RFC 7693) of its text in UTF-8. The
    digest is read as a little-endian number. So the bucket is the same in every process and version, and on
    every machine. The text of a whole number has no point; True and False are 1 and 0.

    Parameters
    ----------
    n_bits : int
        1 to 28; there are ``2**n_bits`` features.
    missing : {"unknown", "own"}, optional
        As for `Categorical`.
    """

    n_bits: int = 18
    missing: str | None = None


Spec: TypeAlias = Categorical | MultiCategorical | Numeric | Hashed
_CHOICES = {"missing": ("unknown", "own"), "scale": (None, "sqrt")}
SPECS: dict[str, type[Any]] = {
    "categorical": Categorical,
    "hashed": Hashed,
    "multi": MultiCategorical,
    "numeric": Numeric,
}
_NAMES = {spec: name for name, spec in SPECS.items()}


def resolve(spec: Any, name: str, encoder: Any) -> Spec:
    """The type of the column `name` that a user gave, with the encoder's defaults, after checks."""
    if isinstance(spec, str) and spec in SPECS:
        spec = SPECS[spec]()
    if type(spec) not in _NAMES:
        is_class = isinstance(spec, type) and spec in _NAMES
        raise ValueError(
            f"columns[{name!r}] is {spec!r}, expected Categorical, MultiCategorical, Numeric, Hashed "
            f"or one of {', '.join(['auto', *SPECS])}"
            + (f"; did you mean {spec.__name__}()?" if is_class else "")
        )
    inherited = [f.name for f in fields(spec) if hasattr(encoder, f.name) and getattr(spec, f.name) is None]
    spec = replace(spec, **{key: getattr(encoder, key) for key in inherited})
    for key, value in asdict(spec).items():
        argument = key if key in inherited else f"{key} of column {name!r}"
        if key in ("min_count", "n_bits") or (key in ("bins", "max_categories") and value is not None):
            spec = replace(spec, **{key: as_count(value, argument)})
        elif key in _CHOICES and value not in _CHOICES[key]:
            raise ValueError(f"{argument} must be one of {_CHOICES[key]}, got {value!r}")
    if isinstance(spec, Hashed) and spec.n_bits > MOST_BITS:
        raise ValueError(f"n_bits of column {name!r} must be at most {MOST_BITS}, got {spec.n_bits}")
    resolved: Spec = spec
    return resolved


def names_of(columns: Any) -> list[str]:
    """The names in the encoder's parameter `columns`, after checks."""
    try:
        names = list(columns) if len(columns) and not isinstance(columns, (str, Set)) else []
    except TypeError:
        names = []
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(
            "columns must name one column at least, in a list of str without duplicates or a dict of str to "
            f"column type, got {columns!r}"
        )
    return names


def type_name(spec: Spec) -> str:
    """The name of a column type, a key of `SPECS`."""
    return _NAMES[type(spec)]


def to_json(spec: Spec | str) -> Any:
    """A column type, or the name of one, as JSON values."""
    if isinstance(spec, str):
        return spec
    return {"kind": type_name(spec)} | {key: plain(value) for key, value in asdict(spec).items()}


def plain(value: Any) -> Any:
    """A parameter as a JSON value: an integer of NumPy becomes an int."""
    return operator.index(value) if hasattr(value, "__index__") else value


def from_json(stored: Any, name: str) -> Spec | str:
    """What `to_json` was given for the column `name`."""
    if isinstance(stored, str):
        return stored
    if not isinstance(stored, Mapping) or stored.get("kind") not in list(SPECS):
        raise ValueError(f"columns[{name!r}] is {stored!r}, expected a kind among {list(SPECS)}")
    options = {key: value for key, value in stored.items() if key != "kind"}
    create = SPECS[stored["kind"]]
    if unknown := set(options) - {f.name for f in fields(create)}:
        raise ValueError(f"columns[{name!r}] has the unknown option {min(unknown)!r}")
    spec: Spec = create(**options)
    return spec
