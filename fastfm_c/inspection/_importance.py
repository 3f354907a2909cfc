"""`pair_importance`: how much each pair counts in the scores of some rows."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from fastfm_c._validation import require_choice
from fastfm_c.inspection._by_feature import FeaturePairs
from fastfm_c.inspection._by_field import FieldGame
from fastfm_c.inspection._explain import Rows, players_of, rows_to_explain
from fastfm_c.inspection._terms import Terms, row_blocks

__all__ = ["pair_importance"]


def pair_importance(
    model: Any,
    X: Any,
    *,
    background: Any = None,
    by: str = "field",
    fields: ArrayLike | None = None,
) -> Any:
    """Mean absolute Shapley interaction of each two fields or features over the rows of X.

    Parameters
    ----------
    model, X, background, fields
        As for `explain`.
    by : "field" (default) or "feature"

    Returns
    -------
    ndarray of shape (p, p), or (outputs, p, p) with several outputs
        Symmetric, with zeros on the diagonal. By feature without a background and with one output it is a
        csr_array, which holds the pairs that occur in X. A heat map is ``plt.imshow(pair_importance(model,
        X))``.

    Raises
    ------
    ValueError
        As for `explain`.

    Examples
    --------
    >>> from fastfm_c import FM
    >>> model = FM(0.0, [0.0, 0.0, 0.0], [[1.0], [3.0], [2.0]])
    >>> pair_importance(model, [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]], fields=[0, 1, 1]).tolist()
    [[0.0, 2.5], [2.5, 0.0]]
    """
    require_choice(by, "by", ("feature", "field"))
    player = players_of(model, X, fields) if by == "field" else None
    rows = rows_to_explain(model, X, background)
    if rows.X.shape[0] == 0:
        raise ValueError("X has no rows, of which there is no mean")
    if player is not None:
        return rows.outputs_joined([_of_fields(terms, rows, player) for terms in rows.terms], axis=0)
    if rows.R is None and not rows.has_outputs:
        return _of_pairs_that_occur(rows)
    pairs = FeaturePairs(rows.terms, rows.X, rows.R, rows.columns, rows.n_features, rows.has_outputs)
    total = np.zeros_like(pairs[0])
    for row in range(len(pairs)):
        total += np.abs(pairs[row])
    return total / len(pairs)


def _of_fields(terms: Terms, rows: Rows, player: NDArray[np.intp]) -> NDArray[np.float64]:
    P = terms.n_fields if terms.n_fields > 1 else int(player.max(initial=-1)) + 1
    game = FieldGame(terms, player[rows.columns], P, rows.R, pairs=True)
    total: NDArray[np.float64] = np.zeros((P, P))
    for block in row_blocks(rows.X, game.numbers_per_row(True)):
        _, S = game.values(rows.X[block])
        total += np.abs(game.interactions(S)).sum(axis=0)
    total /= rows.X.shape[0]
    return total


def _of_pairs_that_occur(rows: Rows) -> Any:
    """|a_ij| times the mean of |x_i x_j|, for the pairs that are in a row together."""
    terms, size = rows.terms[0], abs(rows.X)
    together = sp.coo_array(size.T @ size)
    i, j = (axis.astype(np.intp) for axis in (together.row, together.col))
    products = np.empty(len(i))
    for begin in range(0, len(i), 1 << 16):
        a, b = i[begin : begin + (1 << 16)], j[begin : begin + (1 << 16)]
        left, right = terms.V[a, terms.field[b]], terms.V[b, terms.field[a]]
        products[begin : begin + len(a)] = np.einsum("pk,pk->p", left, right)
    values = np.where(i == j, 0.0, np.abs(products) * together.data / rows.X.shape[0])
    at = rows.columns[i], rows.columns[j]
    result = sp.csr_array((values, at), shape=(rows.n_features, rows.n_features))
    result.eliminate_zeros()
    return result
