"""`explain`: exact Shapley values of the scores of a model."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from fastfm_c._field_table import as_fields
from fastfm_c._validation import require_choice
from fastfm_c.inspection._by_feature import FeatureBackground, FeaturePairs, stored_values, write_values
from fastfm_c.inspection._by_field import FieldGame
from fastfm_c.inspection._explanation import Explanation
from fastfm_c.inspection._terms import Terms, as_model, row_blocks, sound_csr, terms_of

__all__ = ["Rows", "explain", "players_of", "rows_to_explain"]

_Array: TypeAlias = NDArray[Any]


def explain(
    model: Any,
    X: Any,
    *,
    background: Any = None,
    by: str = "feature",
    fields: ArrayLike | None = None,
    pairs: bool = False,
) -> Explanation:
    """Split the score of each row of X among its features or fields: exact Shapley values.

    They are the interventional ones: a player that is absent has the value that it has in a row of the
    background, and each row of the background counts the same. The values of a row and `base` add up to its
    score. All of it is computed in closed form, in float64, from one pass over the background and one over X.

    Parameters
    ----------
    model : FM or FFM, or what `fastfm_c.serving.quantize` made of one
    X : as for `FM.predict`
    background : as X, optional
        Rows to compare with, finite, such as a thousand of those that the model learned from. Default: the
        empty row. The values then are contributions against a row without any features.
    by : "feature" (default) or "field"
        Who shares the score: the columns, or all columns of a field together. One-hot columns are best taken
        by field.
    fields : array_like of int, shape (n_features,), optional
        The field of each column, with ``by="field"``. Default: those of an FFM, else ``X.fields``. An FFM
        takes no others.
    pairs : bool, default False
        Find the Shapley interactions of each two players, too.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        For a model with `normalize`, whose score is no sum over pairs of the row as it is given; with
        ``by="field"`` if nothing says the fields; for an X or a background that does not fit the model.

    Examples
    --------
    >>> from fastfm_c import FM
    >>> model = FM(1.0, [1.0, 2.0], [[1.0], [3.0]])
    >>> explanation = explain(model, [[1.0, 1.0]])
    >>> explanation.base, explanation.values.toarray().tolist()
    (1.0, [[2.5, 3.5]])
    """
    require_choice(by, "by", ("feature", "field"))
    player = players_of(model, X, fields) if by == "field" else None
    if by == "feature" and fields is not None:
        raise ValueError("fields are given, which by='feature' does not use: did you mean by='field'?")
    rows = rows_to_explain(model, X, background)
    return _by_feature(rows, pairs) if player is None else _by_field(rows, player, pairs)


@dataclass
class Rows:
    """Rows and background, cut to the columns that occur in either, and the parameters of these."""

    X: Any
    R: Any  # None: the empty row
    columns: NDArray[np.intp]
    n_background: int  # the first columns: those of the background, by field
    terms: list[Terms]
    n_features: int
    has_outputs: bool
    given: Any  # X with all columns

    def outputs_joined(self, of_outputs: list[Any], axis: int = 1) -> Any:
        """One array of those of the outputs; the only one if the model has no axis of outputs."""
        return np.stack(of_outputs, axis=axis) if self.has_outputs else of_outputs[0]

    def bases(self, of_outputs: list[float]) -> Any:
        """The base: a float, or one for each output."""
        return np.array(of_outputs) if self.has_outputs else of_outputs[0]


def rows_to_explain(model: Any, X: Any, background: Any) -> Rows:
    """Check the model, the rows and the background."""
    model = as_model(model)
    if model.normalize is not None:
        raise ValueError(
            f"the model has normalize={model.normalize!r}: its score is no sum over the pairs of the row "
            "as it is given; explain a model that learned from rows that were divided before"
        )
    given = sound_csr(model, X)
    R = None
    if background is not None:
        R = sound_csr(model, background, "background")
        if R.shape[0] == 0:
            raise ValueError("background has no rows, expected at least one")
        if not (finite := np.isfinite(R.data)).all():
            row = int(np.searchsorted(R.indptr, np.argmin(finite), side="right")) - 1
            raise ValueError(f"row {row} of background has a value that is not finite")
    columns, n_background = _columns_of(given, R, getattr(model, "fields", None))
    place = np.zeros(model.n_features, np.intp)
    place[columns] = np.arange(len(columns))
    small = [None if m is None else _with_columns(m, place, len(columns)) for m in (given, R)]
    has_outputs = bool(model._snapshot().has_outputs)
    terms = terms_of(model, columns)
    return Rows(small[0], small[1], columns, n_background, terms, model.n_features, has_outputs, given)


def _columns_of(X: Any, R: Any, fields: ArrayLike | None) -> tuple[NDArray[np.intp], int]:
    """The columns that occur: first those of R, by field, and how many these are; then those of X alone."""
    in_X, in_R = np.zeros(X.shape[1], bool), np.zeros(X.shape[1], bool)
    in_X[X.indices] = True
    if R is not None:
        in_R[R.indices] = True
    of_R, of_X = np.flatnonzero(in_R), np.flatnonzero(in_X & ~in_R)
    if fields is not None:
        of_R = of_R[np.argsort(np.asarray(fields)[of_R], kind="stable")]
    return np.concatenate([of_R, of_X]), len(of_R)


def _with_columns(X: Any, place: NDArray[np.intp], n: int) -> Any:
    """X with the columns `place` instead."""
    return sp.csr_array((X.data, place[X.indices], X.indptr), shape=(X.shape[0], n))


def players_of(model: Any, X: Any, fields: ArrayLike | None) -> NDArray[np.intp]:
    """The field of each feature: those of an FFM, else the given ones, else those of X."""
    n = getattr(model, "n_features", None)
    own = getattr(model, "fields", None)
    if fields is not None:
        fields = np.asarray(as_fields(fields, n, None))
        if own is not None and not np.array_equal(fields, own):
            raise ValueError("fields are not those of the FFM, which has fields of its own")
    elif own is not None:
        fields = own
    elif sp.issparse(X) and getattr(X, "fields", None) is not None:
        fields = as_fields(X.fields, n, None)
    else:
        raise ValueError("by='field' needs fields: give them, or an X that has fields (FieldEncoder's)")
    return np.asarray(fields).astype(np.intp)


def _by_feature(rows: Rows, pairs: bool) -> Explanation:
    X, R, n = rows.X, rows.R, rows.n_features
    of_outputs, bases = [], []
    for terms in rows.terms:
        background = FeatureBackground.of(terms, R, rows.n_background)
        bases.append(background.base)
        if R is None and not rows.has_outputs:
            values: Any = stored_values(terms, X, background)
            values = sp.csr_array((values, rows.given.indices, rows.given.indptr), shape=rows.given.shape)
        else:
            values = np.zeros((X.shape[0], n))
            write_values(terms, X, background, values, rows.columns)
        of_outputs.append(values)
    found = FeaturePairs(rows.terms, X, R, rows.columns, n, rows.has_outputs) if pairs else None
    return Explanation(rows.bases(bases), rows.outputs_joined(of_outputs), found, data=rows.given)


def _by_field(rows: Rows, fields: NDArray[np.intp], pairs: bool) -> Explanation:
    P = int(fields.max(initial=-1)) + 1
    of_fields = rows.terms[0].n_fields
    if of_fields > 1:
        P = of_fields
    X, player = rows.X, fields[rows.columns]
    of_outputs, of_pairs, bases = [], [], []
    for terms in rows.terms:
        game = FieldGame(terms, player, P, rows.R, pairs)
        bases.append(game.base)
        values = np.empty((X.shape[0], P))
        found = np.empty((X.shape[0], P, P)) if pairs else None
        for block in row_blocks(X, game.numbers_per_row(pairs)):
            values[block], S = game.values(X[block])
            if found is not None:
                found[block] = game.interactions(S)
        of_outputs.append(values)
        of_pairs.append(found)
    joined = rows.outputs_joined(of_pairs) if pairs else None
    return Explanation(rows.bases(bases), rows.outputs_joined(of_outputs), joined)
