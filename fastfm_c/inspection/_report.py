"""What `Drift.compare` finds."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastfm_c.inspection._counts import Counts
from fastfm_c.inspection._distances import distance

__all__ = ["DriftReport", "FieldDrift", "report_of"]

_MOST_CATEGORIES = 20  # the rarer ones of the reference share a bin


class FieldDrift(NamedTuple):
    """A field of new rows beside the reference, or the scores of both."""

    psi: float  # population stability index
    ks: float  # Kolmogorov-Smirnov distance; of categories, in the order of their columns
    p_value: float  # how often chance alone gives a larger `ks`, at most
    threshold: float  # a larger `psi` is an alarm
    unknown: float  # share of the field's values that the reference does not have, or that are marked unknown
    missing: float  # share of rows without a value, or with one that is marked missing
    reference_unknown: float
    reference_missing: float

    @property
    def is_alarm(self) -> bool:
        """Whether the field has drifted: its PSI is larger than the threshold."""
        return self.psi > self.threshold


@dataclass(eq=False, repr=False)
class DriftReport(Mapping[Any, FieldDrift]):
    """The drift of each field by its name (its number where there are no names), and of the scores.

    Parameters
    ----------
    fields : dict
        The drift of each field. The report itself reads like this dict.
    scores : FieldDrift or None
        That of the scores, where both sides have them.
    n_rows : int
        New rows.
    """

    fields: dict[Any, FieldDrift]
    scores: FieldDrift | None
    n_rows: int

    def __getitem__(self, field: Any) -> FieldDrift:
        return self.fields[field]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    @property
    def alarms(self) -> list[Any]:
        """Names of the fields that have drifted, the worst first; "scores" among them."""
        lines = self.fields if self.scores is None else self.fields | {"scores": self.scores}
        return sorted((name for name in lines if lines[name].is_alarm), key=lambda name: -lines[name].psi)

    def to_frame(self) -> Any:
        """A pandas.DataFrame with a row for each field, and a last one for the scores.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            Without pandas.
        """
        try:
            pd = importlib.import_module("pandas")
        except ImportError:
            raise ImportError("DriftReport.to_frame makes a DataFrame: pip install pandas") from None
        lines = self.fields if self.scores is None else self.fields | {"scores": self.scores}
        frame = pd.DataFrame(list(lines.values()), index=list(lines), columns=FieldDrift._fields)
        return frame.assign(is_alarm=[line.is_alarm for line in lines.values()])

    def __repr__(self) -> str:
        alarms = ", ".join(map(str, self.alarms)) or "none"
        return f"DriftReport({self.n_rows} rows, {len(self)} fields, alarms: {alarms})"


def report_of(
    reference: Counts, new: Counts, names: list[Any], unknown: NDArray[np.bool_], missing: NDArray[np.bool_]
) -> DriftReport:
    """Compare counts of the same bins. `unknown` and `missing` mark columns."""
    bins, found = reference.bins, {}
    is_new = unknown | (reference.columns == 0)
    pairs = zip(reference.numbers, new.numbers, strict=True)
    numbers = dict(zip(bins.number_columns.tolist(), pairs, strict=True))
    order = np.argsort(bins.fields, kind="stable")
    begins = np.searchsorted(bins.fields[order], np.arange(bins.n_fields + 1))
    for f, name in enumerate(names):
        columns = order[begins[f] : begins[f + 1]]
        categories = np.array([j for j in columns.tolist() if j not in numbers], np.intp)
        distances = [distance(*numbers[j]) for j in columns.tolist() if j in numbers]
        if len(categories) or not distances:
            distances.append(distance(*_categories(reference, new, categories, f)))
        worst = max(distances, key=lambda d: (d.psi - d.threshold, d.ks))
        found[name] = FieldDrift(
            *worst,
            _share_of_values(new, columns, is_new),
            _share_without(new, columns, missing, f),
            _share_of_values(reference, columns, unknown),
            _share_without(reference, columns, missing, f),
        )
    scores = None
    if reference.n_scores and new.n_scores:
        scores = FieldDrift(*distance(reference.scores, new.scores), 0.0, 0.0, 0.0, 0.0)
    return DriftReport(found, scores, new.n_rows)


def _categories(reference: Counts, new: Counts, columns: NDArray[np.intp], f: int) -> list[NDArray[np.int64]]:
    """Counts of the commonest columns of the reference, of all others together, and of rows without any."""
    common = np.sort(np.argsort(-reference.columns[columns], kind="stable")[:_MOST_CATEGORIES])
    is_common = np.zeros(len(columns), bool)
    is_common[common] = True
    result = []
    for counts in reference, new:
        of_columns = counts.columns[columns]
        rest, absent = of_columns[~is_common].sum(), counts.n_rows - counts.present[f]
        result.append(np.array([*of_columns[is_common], rest, absent], np.int64))
    is_used = result[0] + result[1] > 0
    return [counts[is_used] for counts in result]


def _share_of_values(counts: Counts, columns: NDArray[np.intp], marked: NDArray[np.bool_]) -> float:
    total = int(counts.columns[columns].sum())
    return int(counts.columns[columns[marked[columns]]].sum()) / total if total else 0.0


def _share_without(counts: Counts, columns: NDArray[np.intp], missing: NDArray[np.bool_], f: int) -> float:
    rows = counts.n_rows - int(counts.present[f]) + int(counts.columns[columns[missing[columns]]].sum())
    return min(rows / counts.n_rows, 1.0) if counts.n_rows else 0.0
