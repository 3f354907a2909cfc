"""What a column of `FieldEncoder` can be."""

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
    "kind_of",
    "names_of",
    "plain",
    "resolve",
    "to_json",
]

MOST_BITS = 28  # the fields of 2**28 columns take 1 GiB


@dataclass(frozen=True)
class Categorical:
    """A column of `FieldEncoder` with one feature for each value.

    Parameters
    ----------
    min_count : int, optional
        Values that occur less often share the unknown feature. The encoder's by default, as the others.
    max_categories : int, optional
        Only so many values, the most frequent, have features of their own.
    missing : {"unknown", "own"}, optional
        Whether missing values share the unknown feature or have one of their own.
    """

    min_count: int | None = None
    max_categories: int | None = None
    missing: str | None = None


@dataclass(frozen=True)
class MultiCategorical(Categorical):
    """A column of `FieldEncoder` that holds lists of values, with one feature for each value.

    A row has each of its features once, whatever the order of the list; an empty list has none.

    Parameters
    ----------
    scale : {None, "sqrt"}
        "sqrt" divides a row's values by the square root of how many features it has here.
    min_count, max_categories, missing
        Those of `Categorical`. An element counts each time it occurs.
    """

    scale: str | None = None


@dataclass(frozen=True)
class Numeric:
    """A column of `FieldEncoder` that holds numbers.

    Parameters
    ----------
    bins : int, optional
        At most so many bins with about equally many values, one feature each; a frequent number has a bin
        of its own, and numbers outside belong to the first and last. None: one feature whose value is
        ``(x - mean) / standard deviation``, 0 if all numbers were equal.
    missing : {"unknown", "own"}, optional
        As for `Categorical`.
    """

    bins: int | None = None
    missing: str | None = None


@dataclass(frozen=True)
class Hashed:
    """A column of `FieldEncoder` whose values are hashed, so that none is unknown and none is stored.

    A value's bucket is the lowest bits of the 64-bit BLAKE2b hash (RFC 7693) of its text in UTF-8, the
    digest read as a little-endian number: the same in every process, version and on every machine. The
    text of a whole number has no point; True and False are 1 and 0.

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
SPECS: dict[str, type[Spec]] = {
    "categorical": Categorical,
    "hashed": Hashed,
    "multi": MultiCategorical,
    "numeric": Numeric,
}
_KIND_OF = {spec: kind for kind, spec in SPECS.items()}


def resolve(spec: Any, name: str, encoder: Any) -> Spec:
    """The column type that a user gave, with the encoder's defaults, checked."""
    if isinstance(spec, str) and spec in SPECS:
        spec = SPECS[spec]()
    if type(spec) not in _KIND_OF:
        is_class = isinstance(spec, type) and spec in _KIND_OF
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
    return spec


def names_of(columns: Any) -> list[str]:
    """The names in the encoder's parameter `columns`, checked."""
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


def kind_of(spec: Spec) -> str:
    """Its name among SPECS."""
    return _KIND_OF[type(spec)]


def to_json(spec: Spec | str) -> Any:
    """As JSON values."""
    if isinstance(spec, str):
        return spec
    return {"kind": kind_of(spec)} | {key: plain(value) for key, value in asdict(spec).items()}


def plain(value: Any) -> Any:
    """A parameter as JSON has it: integers of NumPy, too, are int."""
    return operator.index(value) if hasattr(value, "__index__") else value


def from_json(stored: Any, name: str) -> Spec | str:
    """What `to_json` was given."""
    if isinstance(stored, str):
        return stored
    if not isinstance(stored, Mapping) or stored.get("kind") not in list(SPECS):
        raise ValueError(f"columns[{name!r}] is {stored!r}, expected a kind among {list(SPECS)}")
    options = {key: value for key, value in stored.items() if key != "kind"}
    kind = SPECS[stored["kind"]]
    if unknown := set(options) - {f.name for f in fields(kind)}:
        raise ValueError(f"columns[{name!r}] has the unknown option {min(unknown)!r}")
    return kind(**options)
