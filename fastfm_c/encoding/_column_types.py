"""The types of columns of `FieldEncoder`: their parameters, checked, and as JSON."""

import operator
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, TypeAlias

from fastfm_c._validation import as_count

__all__ = [
    "Categorical",
    "Date",
    "Hashed",
    "MultiCategorical",
    "Numeric",
    "Spec",
    "check_rest",
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
        whose value is ``(x - mean) / standard deviation``. If all numbers of the first table were equal, it
        is 0, also for other numbers later: no model has learned anything about them.
    missing : {"unknown", "own"}, optional
        As for `Categorical`.
    """

    bins: int | None = None
    missing: str | None = None


@dataclass(frozen=True)
class Date:
    """A column of `FieldEncoder` that holds dates, times, or both.

    A value is a date or time of Python, NumPy, pandas or Arrow, or a str in ISO 8601. What its clock and its
    calendar show counts; time zones are not converted.

    Parameters
    ----------
    parts : sequence of str, optional
        Some of "hour" (0 to 23), "weekday" (0 is Monday), "month" (1 to 12), and "age": the age in days,
        standardised as a `Numeric` column is. Default: all, but no hour if the dates of the first table have
        no times, and the hour alone if the values are times without dates.
    encoding : {"one-hot", "cyclic"}
        Whether a part other than the age has a feature for each of its values, or two features: the sine and
        the cosine of its angle, so that December is beside January.
    missing : {"unknown", "own"}, optional
        As for `Categorical`.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("hour", "weekday", "month", "age")

    parts: tuple[str, ...] | None = None
    encoding: str = "one-hot"
    missing: str | None = None


@dataclass(frozen=True)
class Hashed:
    """A column of `FieldEncoder` whose values are hashed. No value is unknown and none is stored.

    The bucket of a value is the lowest bits of the 64-bit BLAKE2b hash (RFC 7693) of its text in UTF-8. The
    digest is read as a little-endian number. So the bucket is the same in every process and version, and on
    every machine. The text of a whole number has no point; True and False are 1 and 0; a float32 has the
    shortest text that is read as the same float32.

    Parameters
    ----------
    n_bits : int
        1 to 28; there are ``2**n_bits`` features.
    missing : {"unknown", "own"}, optional
        As for `Categorical`.
    """

    n_bits: int = 18
    missing: str | None = None


Spec: TypeAlias = Categorical | Date | MultiCategorical | Numeric | Hashed
_CHOICES = {"missing": ("unknown", "own"), "scale": (None, "sqrt"), "encoding": ("one-hot", "cyclic")}
SPECS: dict[str, type[Any]] = {
    "categorical": Categorical,
    "date": Date,
    "hashed": Hashed,
    "multi": MultiCategorical,
    "numeric": Numeric,
}
_NAMES = {spec: name for name, spec in SPECS.items()}


def resolve(spec: Any, name: str, encoder: Any) -> Spec:
    """The type of the column `name` that a user gave, with the encoder's defaults (if any), after checks."""
    if isinstance(spec, str) and spec in SPECS:
        spec = SPECS[spec]()
    if type(spec) not in _NAMES:
        is_class = isinstance(spec, type) and spec in _NAMES
        raise ValueError(
            f"columns[{name!r}] is {spec!r}, expected Categorical, MultiCategorical, Numeric, Date, "
            f"Hashed or one of {', '.join(['auto', *SPECS])}"
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
        elif key == "parts" and value is not None:
            spec = replace(spec, parts=_parts(value, argument))
    if isinstance(spec, Hashed) and spec.n_bits > MOST_BITS:
        raise ValueError(f"n_bits of column {name!r} must be at most {MOST_BITS}, got {spec.n_bits}")
    resolved: Spec = spec
    return resolved


def check_rest(rest: Any, encoder: Any) -> None:
    """Check the encoder's parameter `rest`."""
    if isinstance(rest, str) and rest in ("drop", "error", "auto"):
        return
    try:
        resolve(rest, "rest", encoder)
    except ValueError:
        raise ValueError(
            f"rest is {rest!r}, expected 'drop', 'error', 'auto', or a column type or its name: "
            f"{', '.join(SPECS)}"
        ) from None


def _parts(parts: Any, argument: str) -> tuple[str, ...]:
    is_sequence = isinstance(parts, (list, tuple)) and len(parts) > 0
    if not is_sequence or not all(p in Date.PARTS for p in parts) or len(set(parts)) < len(parts):
        raise ValueError(f"{argument} must be a tuple of some of {Date.PARTS}, got {parts!r}")
    return tuple(parts)


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
    """A parameter as a JSON value: an integer of NumPy becomes an int, a tuple a list."""
    if isinstance(value, tuple):
        return list(value)
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
