"""Fields of dates and times: features of the hour, the weekday and the month, and the age in days."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_csr import Encoded
from fastfm_c.encoding._column_types import Date
from fastfm_c.encoding._columns import Column, Objects
from fastfm_c.encoding._numeric import Standard
from fastfm_c.encoding._vocabulary import Field, Row, Rows, first_of_consecutive
from fastfm_c.persistence._json import json_member

__all__ = ["DateField"]

DAY = 86_400e6  # microseconds
CYCLES = {"hour": 24, "weekday": 7, "month": 12}  # how many values each part has
FIRST = {"hour": 0, "weekday": 0, "month": 1}  # the number that people give the first of them


def number_of(part: str, dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """The part of each date, counted from 0; Monday is 0."""
    days = dates.astype("M8[D]")
    number: NDArray[np.int64]
    if part == "hour":
        number = (dates - days).astype("m8[h]").astype(np.int64)
    elif part == "weekday":
        number = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    else:
        number = days.astype("M8[M]").astype(np.int64) % 12
    return number


def ages(dates: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Days before 1970. Which day that is does not matter, because ages are standardised."""
    return -dates.astype("M8[us]").astype(np.int64) / DAY


class DateField(Field[Date, Any]):
    """A field of dates. A row has an entry for each part of its date, in the order of the parts."""

    def __init__(self, name: str, spec: Date) -> None:
        super().__init__(name, spec)
        self.lookup_row = {}
        self.first = -1  # the first feature after those of unknown and missing values
        self.parts: tuple[str, ...] = spec.parts or ()
        self.age = Standard()

    def plan(self, column: Column) -> tuple[Any, int]:
        needs_age = self.age.mean is None and (not self.parts or "age" in self.parts)
        if self.first >= 0 and not needs_age:
            column.dates()  # refuses what is no date
            return None, 0
        dates = column.dates()
        dates = dates[~np.isnat(dates)]
        parts = self.parts or _parts_that_differ(dates)
        age = Standard.of(ages(dates)) if len(dates) and needs_age else self.age
        return (parts, age), self._n_features(parts) if self.first < 0 else 0

    def take(self, plan: Any, start: int) -> None:
        if plan is not None:
            self.parts, self.age = plan
        if self.first < 0:
            self.first = start

    def _n_features(self, parts: tuple[str, ...]) -> int:
        return sum(self._width(part) for part in parts)

    def _width(self, part: str) -> int:
        """How many features a part has."""
        if part == "age":
            return 1
        return 2 if self.spec.encoding == "cyclic" else CYCLES[part]

    def encode(self, column: Column) -> Rows:
        dates = column.dates()
        is_missing = np.isnat(dates)
        known = dates[~is_missing]
        blocks, start = [], self.first
        for part in self.parts:
            blocks.append(self._encode_part(part, known, start))
            start += self._width(part)
        n_entries = sum(features.shape[1] for features, _ in blocks)
        sizes = np.where(is_missing, 1, n_entries)
        features, values = np.full(sizes.sum(), self.missing, np.int32), np.ones(sizes.sum())
        of_known = np.repeat(~is_missing, sizes)
        features[of_known] = np.hstack([features for features, _ in blocks]).ravel()
        values[of_known] = np.hstack([values for _, values in blocks]).ravel()
        return Rows(Encoded(features, values, sizes), 0, int(np.count_nonzero(is_missing)))

    def _encode_part(self, part: str, dates: NDArray[np.datetime64], start: int) -> tuple[Any, Any]:
        """(features, values) of a part: a row for each date."""
        if part == "age":
            value = self.age.apply(ages(dates), self.name)
            return np.full((len(dates), 1), start), value[:, None]
        number = number_of(part, dates)
        if self.spec.encoding == "cyclic":
            angle = 2 * np.pi / CYCLES[part] * number
            return np.tile([start, start + 1], (len(dates), 1)), np.column_stack(
                [np.sin(angle), np.cos(angle)]
            )
        return start + number[:, None], np.ones((len(dates), 1))

    def encode_value(self, value: Any) -> Row:
        encoded, _, n_missing = self.encode(Objects(self.name, [value]))
        assert encoded.values is not None
        return Row(encoded.features.tolist(), encoded.values.tolist(), has_missing=n_missing > 0)

    def feature_names(self) -> list[str]:
        names = self.first_names()
        for part in self.parts:
            if part == "age":
                names.append(f"{self.name}:age")
            elif self.spec.encoding == "cyclic":
                names += [f"{self.name}:sin({part})", f"{self.name}:cos({part})"]
            else:
                names += [f"{self.name}:{part}={FIRST[part] + i}" for i in range(CYCLES[part])]
        return names

    def to_json(self) -> dict[str, Any]:
        return {"parts": list(self.parts), "age": self.age.to_json()}

    def restore(self, members: Any, features: list[int]) -> None:
        parts = json_member(members, "parts", list)
        if not parts or not all(part in Date.PARTS for part in parts) or len(set(parts)) < len(parts):
            raise ValueError(f"parts is {parts!r}, expected some of {Date.PARTS}")
        self.parts = tuple(parts)
        age = json_member(members, "age", dict)
        self.age = Standard.from_json(age)
        if age:
            raise ValueError(f"age has unknown members {sorted(age)}")
        self.first = first_of_consecutive(features, self._n_features(self.parts))


def _parts_that_differ(dates: NDArray[np.datetime64]) -> tuple[str, ...]:
    """All parts; without the hour if all dates are days, and the hour alone if all are times."""
    days = dates.astype("M8[D]")
    if len(dates) and (dates == days).all():
        return "weekday", "month", "age"
    is_time = len(dates) > 0 and (days == np.datetime64(0, "D")).all()
    return ("hour",) if is_time else Date.PARTS
