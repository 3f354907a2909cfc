"""`Explanation`: what `explain` returns."""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["Explanation"]


@dataclass(eq=False, repr=False)
class Explanation:
    """The shares of features or fields in the scores of rows.

    Parameters
    ----------
    base : float, or ndarray of shape (outputs,)
        The mean score of the background, or the bias of the model without one.
    values : ndarray or csr_array of shape (rows, p), or ndarray of shape (rows, outputs, p)
        The share of each player. Sparse by feature without a background, where an absent feature has none.
    pairs : optional
        ``pairs[row]``: the interactions of each two players, symmetric, (p, p) or (outputs, p, p). A player's
        value has half of each of its interactions. By feature they are made when they are asked for.
    data : csr_array of shape (rows, p), optional
        The rows, by feature.
    """

    base: Any
    values: Any
    pairs: Any = None
    data: Any = None

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.values.shape))
        return f"Explanation(base={self.base}, values: {shape}{', pairs' if self.pairs is not None else ''})"

    def to_frame(self, names: Any = None) -> Any:
        """The values as a pandas.DataFrame, with `base` as the first column.

        Parameters
        ----------
        names : sequence of str or FieldEncoder, optional
            Names of the players. Default: their numbers.

        Returns
        -------
        pandas.DataFrame
            A row for each row; with several outputs, for each row and output.

        Raises
        ------
        ImportError
            Without pandas.
        """
        try:
            pd = importlib.import_module("pandas")
        except ImportError:
            raise ImportError("Explanation.to_frame makes a DataFrame: pip install pandas") from None
        values = self._dense()
        n_rows, p = len(values), values.shape[-1]
        index = None
        if values.ndim == 3:
            index = pd.MultiIndex.from_product(
                [range(n_rows), range(values.shape[1])], names=["row", "output"]
            )
        frame = pd.DataFrame(values.reshape(-1, p), index=index, columns=self._names(names))
        frame.insert(0, "base", np.resize(np.asarray(self.base), len(frame)))
        return frame

    def to_shap(self, names: Any = None) -> dict[str, Any]:
        """The arguments of a `shap.Explanation`: ``shap.Explanation(**explanation.to_shap())``.

        Parameters
        ----------
        names : as for `to_frame`

        Returns
        -------
        dict
            ``values``, ``base_values``, ``feature_names`` and, by feature, ``data``. As in shap, outputs come
            last.
        """
        values = self._dense()
        if values.ndim == 3:
            values = values.swapaxes(1, 2)
        base = np.broadcast_to(self.base, (len(values), *np.shape(self.base))).copy()
        arguments = {"values": values, "base_values": base, "feature_names": list(self._names(names))}
        return arguments if self.data is None else arguments | {"data": self.data.toarray()}

    def plot(
        self, row: int | None = None, *, output: int = 0, names: Any = None, n: int = 12, ax: Any = None
    ) -> Any:
        """Draw the largest values with matplotlib, the largest at the top.

        Parameters
        ----------
        row : int, optional
            The row to draw. Default: the mean absolute values of all rows.
        output : int, default 0
            The output, where there are several.
        names : as for `to_frame`
        n : int, default 12
            The most bars.
        ax : matplotlib.axes.Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        try:
            plt = importlib.import_module("matplotlib.pyplot")
        except ImportError:
            raise ImportError("Explanation.plot draws with matplotlib: pip install matplotlib") from None
        values = self.values[:, output] if self.values.ndim == 3 else self.values
        bars = np.asarray(abs(values).mean(axis=0) if row is None else _dense(values[[row]])).ravel()
        shown = np.argsort(np.abs(bars), kind="stable")[::-1][:n][::-1]
        labels = self._names(names)
        if ax is None:
            _, ax = plt.subplots()
        ax.barh([str(labels[i]) for i in shown], bars[shown], color=np.where(bars[shown] < 0, "C3", "C0"))
        ax.set_xlabel("mean |share of the score|" if row is None else f"share of the score of row {row}")
        return ax

    def _dense(self) -> Any:
        return _dense(self.values)

    def _names(self, names: Any) -> Any:
        p = self.values.shape[-1]
        if names is None:
            return range(p)
        if hasattr(names, "get_feature_names_out"):
            features = names.get_feature_names_out()
            names = features if self.data is not None else _field_names(names)
        if len(names) != p:
            raise ValueError(f"names has {len(names)} entries, expected {p}")
        return names


def _dense(values: Any) -> Any:
    return values.toarray() if sp.issparse(values) else values


def _field_names(encoder: Any) -> Any:
    return [str(name) for name in encoder.feature_names_in_]
