"""Which rows are held out for validation: by chance, class by class, the last ones, or whole groups."""

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._validation import require_choice

__all__ = ["SplitName", "as_labels", "hold_out"]

SplitName: TypeAlias = Literal["random", "time"]

_Rows: TypeAlias = NDArray[np.int64]


def hold_out(
    n_rows: int,
    fraction: float,
    rng: np.random.Generator,
    *,
    classes: ArrayLike | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    groups: ArrayLike | None = None,
    split: SplitName = "random",
) -> tuple[_Rows, _Rows]:
    """Split the numbers of the rows into those to learn from and those to validate with.

    Parameters
    ----------
    n_rows : int
    fraction : float
        Share of the rows to hold out, in (0, 1).
    rng : numpy.random.Generator
    classes : array_like of int >= 0, shape (n_rows,), optional
        Classes of the rows. Each class has the same share on both sides, as far as whole rows allow, and at
        least one row on either side if it has two.
    sample_weight : ndarray of shape (n_rows,), optional
        A row of weight 0 counts as absent: both sides get rows of positive weight.
    groups : array_like of shape (n_rows,), optional
        Labels, of which none occurs on both sides. The share is then as near as whole groups allow.
    split : {"random", "time"}
        "time" holds out the last rows, or with `groups` the groups whose first row is last.

    Returns
    -------
    rows, held_out : ndarrays of int64, each ascending

    Raises
    ------
    ValueError
        If one side would have no row, or no row of positive weight.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows, held_out = hold_out(10, 0.4, rng, classes=[0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    >>> int(np.sum(held_out < 5)), len(held_out)
    (2, 4)
    >>> hold_out(5, 0.4, rng, split="time")[1].tolist()
    [3, 4]
    """
    n_held_out = _count(n_rows, fraction)
    require_choice(split, "validation_split", get_args(SplitName))
    strata = _strata(n_rows, classes, sample_weight)
    if groups is not None:
        is_held_out = _whole_groups(_group_numbers(groups, n_rows), strata, n_held_out, rng, split)
    elif split == "time":
        is_held_out = np.arange(n_rows) >= n_rows - n_held_out
    else:
        order = rng.permutation(n_rows)
        is_held_out = np.zeros(n_rows, bool)
        is_held_out[order[:n_held_out] if strata is None else _stratified(order, strata, n_held_out)] = True
    rows, held_out = (np.flatnonzero(side).astype(np.int64) for side in (~is_held_out, is_held_out))
    if sample_weight is not None and not (np.any(sample_weight[rows]) and np.any(sample_weight[held_out])):
        side = "held out" if np.any(sample_weight[held_out]) else "left to learn from"
        raise ValueError(f"all rows of positive sample_weight were {side}: pass validation rows")
    return rows, held_out


def _count(n_rows: int, fraction: float) -> int:
    """How many rows to hold out."""
    if not 0 < fraction < 1:
        raise ValueError(f"validation_fraction must be in (0, 1), got {fraction!r}")
    n_held_out = round(fraction * n_rows)
    if not 0 < n_held_out < n_rows:
        raise ValueError(
            f"validation_fraction={fraction} holds out {n_held_out} of {n_rows} rows: "
            "at least one must be left on either side"
        )
    return n_held_out


def _strata(
    n_rows: int, classes: ArrayLike | None, sample_weight: NDArray[np.float64] | None
) -> NDArray[np.int64] | None:
    """The stratum of each row: its class, or one of their own for rows of weight 0. None if there is one."""
    if classes is None and (sample_weight is None or np.all(sample_weight)):
        return None
    strata = np.zeros(n_rows, np.int64) if classes is None else np.asarray(classes).astype(np.int64) + 1
    if sample_weight is not None and np.any(absent := sample_weight == 0):
        strata[absent] = strata.max() + 1
    found, strata = np.unique(strata, return_inverse=True)
    return strata if len(found) > 1 else None


def _stratified(order: NDArray[np.int64], strata: NDArray[np.int64], n_held_out: int) -> NDArray[np.int64]:
    """The first rows of each stratum in this order."""
    sizes = np.bincount(strata)
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return by_stratum[place < np.repeat(_shares(sizes, n_held_out), sizes)]


def _shares(sizes: NDArray[np.int64], n_held_out: int) -> NDArray[np.int64]:
    """How many rows of strata of these sizes to hold out: `n_held_out` in all.

    Each gets its share, rounded so that the largest remainders go up. If there are enough rows for it, each
    stratum of two rows or more has at least one row on either side.
    """
    quota = sizes * (n_held_out / sizes.sum())
    least, most = np.minimum(sizes // 2, 1), np.maximum(sizes - 1, 0)
    if least.sum() > n_held_out:
        least[:] = 0
    if most.sum() < n_held_out:
        most = sizes
    counts: NDArray[np.int64] = np.clip(np.floor(quota).astype(np.int64), least, most)
    while (missing := n_held_out - counts.sum()) != 0:
        can = counts < most if missing > 0 else counts > least
        distance = np.where(can, (quota - counts) * np.sign(missing), -np.inf)
        chosen = np.argsort(-distance, kind="stable")[: min(abs(missing), np.count_nonzero(can))]
        counts[chosen] += np.sign(missing)
    return counts


def as_labels(groups: ArrayLike, n_rows: int) -> NDArray[Any]:
    """The groups of the rows as an array, after a check."""
    labels = np.asarray(groups)
    if labels.shape != (n_rows,):
        raise ValueError(f"groups has shape {labels.shape}, expected ({n_rows},): one label for each row")
    return labels


def _group_numbers(groups: ArrayLike, n_rows: int) -> NDArray[np.int64]:
    """The groups of the rows as numbers, in the order of their first rows."""
    labels = as_labels(groups, n_rows)
    found, first, number = np.unique(labels, return_index=True, return_inverse=True)
    if len(found) < 2:
        raise ValueError("groups has one label for all rows, expected at least two: a side would be empty")
    rank = np.empty(len(found), np.int64)
    rank[np.argsort(first)] = np.arange(len(found))
    return rank[number]


def _whole_groups(
    group: NDArray[np.int64],
    strata: NDArray[np.int64] | None,
    n_held_out: int,
    rng: np.random.Generator,
    split: SplitName,
) -> NDArray[np.bool_]:
    """Whether each row is held out. A group is, if the strata then come nearer to their shares."""
    n_groups = int(group.max()) + 1
    strata = np.zeros(len(group), np.int64) if strata is None or split == "time" else strata
    n_strata = int(strata.max()) + 1
    counts = np.bincount(group * n_strata + strata, minlength=n_groups * n_strata).reshape(n_groups, n_strata)
    wanted = counts.sum(axis=0) * (n_held_out / len(group))
    order = np.arange(n_groups)[::-1] if split == "time" else rng.permutation(n_groups)
    chosen: list[int] = []
    missing = wanted.copy()
    for g in order[:-1] if split == "time" else order:
        nearer = np.sum((missing - counts[g]) ** 2 / wanted) < np.sum(missing**2 / wanted)
        if nearer and len(chosen) < n_groups - 1:
            chosen.append(int(g))
            missing -= counts[g]
        elif split == "time":
            break
    if not chosen:  # each group is larger than the share: the smallest, or the last
        chosen = [order[0] if split == "time" else order[np.argmin(counts[order].sum(axis=1))]]
    return np.isin(group, chosen + _groups_of_missing_strata(counts, chosen))


def _groups_of_missing_strata(counts: NDArray[np.int64], chosen: list[int]) -> list[int]:
    """Groups that give each stratum of two groups or more a row on the held-out side: the smallest ones."""
    more: list[int] = []
    for s in range(counts.shape[1]):
        there = np.flatnonzero(counts[:, s])
        if len(there) > 1 and not np.isin(there, chosen + more).any():
            more.append(int(there[np.argmin(counts[there].sum(axis=1))]))
    return more if len(chosen) + len(more) < len(counts) else []
