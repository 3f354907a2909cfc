"""FM and FFM."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastfm_c._field_table import FieldTable, as_fields
from fastfm_c._validation import aligned_zeros, as_count, as_real_dtype
from fastfm_c.models._arrays import require_stdev, shown_fields
from fastfm_c.models._base import FactorizationMachine

__all__ = ["FFM", "FM"]


class FM(FactorizationMachine):
    """Factorization machine of degree 2 (Rendle 2010, "Factorization Machines", eq. 1).

    ``y(x) = w0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j``

    Parameters
    ----------
    w0 : float, or array_like of shape (C,)
        Bias.
    w : array_like of shape (n_features,) or (C, n_features)
        Linear weights.
    V : array_like of shape (n_features, n_factors) or (C, n_features, n_factors), float32 or float64
        Factors. Their dtype decides the dtype of the model and its scores. An array in C order whose memory
        starts at a multiple of 64 bytes is shared; any other is copied once, so that a row of V touches as
        few cache lines as it can. With several outputs the order in memory is that of
        ``V.swapaxes(0, 1)``: what belongs to a feature lies together. Predictions from several threads at
        once are safe.
    normalize : None (default), "instance" or "xlearn"
        What each row is divided by first; see the attribute.

    Raises
    ------
    ValueError
        When shapes or dtypes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import FM
    >>> fm = FM(0.25, [0.5, -1.0], np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> fm.predict(csr_array([[2.0, 3.0], [0.0, 0.0]]))
    array([4.25, 0.25])
    """

    __slots__ = ()
    _n_axes = 2
    _normalizations = (None, "instance", "xlearn")

    def __init__(self, w0: ArrayLike, w: ArrayLike, V: ArrayLike, *, normalize: str | None = None) -> None:
        self._take(w0, w, V, None, normalize)

    @classmethod
    def random(
        cls,
        n_features: int,
        n_factors: int,
        *,
        n_outputs: int = 1,
        init_stdev: float = 0.01,
        dtype: DTypeLike = "float32",
        rng: Any = None,
    ) -> Self:
        """A model with ``w0 = 0``, ``w = 0`` and normally distributed `V`.

        Parameters
        ----------
        n_features, n_factors : int
        n_outputs : int, default 1
            More than 1 makes a model with several outputs.
        init_stdev : float, default 0.01
            Standard deviation of `V`.
        dtype : "float32" (default) or "float64"
        rng : anything that `numpy.random.default_rng` takes

        Returns
        -------
        FM
        """
        n = as_count(n_features, "n_features", 0)
        k = as_count(n_factors, "n_factors")
        return cls(*_random_parameters(n, (k,), n_outputs, init_stdev, dtype, rng))

    def resize(self, n_features: int, *, init_stdev: float = 0.01, rng: Any = None) -> None:
        """Append features: their `w` is 0, their `V` normally distributed. All others stay as they are.

        Takes the time and the memory of a copy of the model. `w` and `V` are new arrays afterwards.

        Parameters
        ----------
        n_features : int
            At least that of now.
        init_stdev : float, default 0.01
            Standard deviation of the new factors.
        rng : anything that `numpy.random.default_rng` takes

        Raises
        ------
        ValueError
            For fewer features than now.
        """
        self._resize_to(n_features, None, init_stdev, rng)


class FFM(FactorizationMachine):
    """Field-aware factorization machine (Juan et al. 2016, eq. 4), with bias and linear weights.

    ``y(x) = w0 + sum_i w_i x_i + sum_{i<j} <V[i, fields[j]], V[j, fields[i]]> x_i x_j``

    Parameters
    ----------
    w0 : float, or array_like of shape (C,)
        Bias.
    w : array_like of shape (n_features,) or (C, n_features)
        Linear weights.
    V : array_like of shape (n_features, n_fields, n_factors) or (C, n_features, n_fields, n_factors)
        Factors, float32 or float64: ``V[i, g]`` is what feature i uses against a feature of field g. Shared
        or copied as in `FM`.
    fields : array_like of int, shape (n_features,)
        Field of each feature, in 0..n_fields-1.
    normalize : None (default) or "instance"
        What each row is divided by first; see the attribute.

    Raises
    ------
    ValueError
        When shapes, dtypes or fields do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import FFM
    >>> V = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    >>> FFM(0.0, [0.0, 0.0], V, fields=[0, 1]).predict(csr_array([[1.0, 1.0]]))
    array([6.])
    """

    __slots__ = ()
    _n_axes = 3
    _normalizations = (None, "instance")

    def __init__(
        self,
        w0: ArrayLike,
        w: ArrayLike,
        V: ArrayLike,
        fields: ArrayLike,
        *,
        normalize: str | None = None,
    ) -> None:
        self._take(w0, w, V, fields, normalize)

    @classmethod
    def random(
        cls,
        fields: ArrayLike,
        n_factors: int,
        *,
        n_outputs: int = 1,
        init_stdev: float = 0.01,
        dtype: DTypeLike = "float32",
        rng: Any = None,
    ) -> Self:
        """A model with ``w0 = 0``, ``w = 0`` and normally distributed `V`.

        Parameters
        ----------
        fields : array_like of int, shape (n_features,)
            Field of each feature; the model has ``max(fields) + 1`` fields.
        n_factors : int
        n_outputs, init_stdev, dtype, rng
            As for `FM.random`.

        Returns
        -------
        FFM
        """
        fields = as_fields(fields, None, None)
        n_fields = int(fields.max(initial=0)) + 1
        sizes = (n_fields, as_count(n_factors, "n_factors"))
        return cls(*_random_parameters(len(fields), sizes, n_outputs, init_stdev, dtype, rng), fields)

    @property
    def fields(self) -> NDArray[np.int32]:
        """Field of each feature: read-only int32 array of shape (n_features,)."""
        return shown_fields(self._snapshot().fields)

    def _decide_fields(self, fields: ArrayLike | None, columns: NDArray[Any]) -> None:
        """Note which columns have values, and take the fields of those that had none before."""
        now = self._snapshot()
        if not isinstance(now.fields, FieldTable) or now.fields.has_values.all():
            return
        known = now.fields.has_values
        new = np.unique(columns[~known[columns]])
        if not len(new):
            return
        decided, has_values, features = np.array(now.fields), known.copy(), now.fields._features
        has_values[new] = True
        if fields is not None:
            decided[new] = np.asarray(fields)[new]
            if isinstance(fields, FieldTable) and features is not None and fields._features is not None:
                features = features.copy()
                features[new] = fields._features[new]
        if (outside := new[decided[new] >= now.n_fields]).size:
            raise ValueError(
                f"column {outside[0]} of X is in field {decided[outside[0]]}, the model has {now.n_fields} "
                "fields: make it with the fields of all files, or resize it"
            )
        self._replace(now, fields=as_fields(FieldTable(decided, features, has_values), None, None))

    @property
    def n_fields(self) -> int:
        """Number of fields F."""
        return self._snapshot().n_fields

    def resize(
        self,
        n_features: int,
        fields: ArrayLike | None = None,
        *,
        init_stdev: float = 0.01,
        rng: Any = None,
    ) -> None:
        """Append features, and new fields if there are any, as `FM.resize` does.

        Parameters
        ----------
        n_features, init_stdev, rng
            As for `FM.resize`.
        fields : array_like of int, shape (n_features,)
            Field of each feature, for those of now as before. `FieldEncoder.fields_` is one.

        Raises
        ------
        ValueError
            For fewer features than now, or other fields.
        """
        if fields is None:
            raise ValueError("fields is None, expected the field of each of the n_features features")
        self._resize_to(n_features, fields, init_stdev, rng)


def _random_parameters(
    n_features: int, sizes: tuple[int, ...], n_outputs: int, init_stdev: float, dtype: DTypeLike, rng: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """(w0, w, V) of a random model whose V has the shape (n_features, *sizes) for one output."""
    require_stdev(init_stdev)
    real = as_real_dtype(dtype)
    outputs = (n_outputs,) if as_count(n_outputs, "n_outputs") > 1 else ()
    w = aligned_zeros((n_features, *outputs), real)
    V = aligned_zeros((n_features, *outputs, *sizes), real)
    np.random.default_rng(rng).standard_normal(dtype=real, out=V)
    V *= init_stdev
    if outputs:  # a model takes the outputs first, and keeps them after the features
        w, V = w.swapaxes(0, 1), V.swapaxes(0, 1)
    return np.zeros(outputs), w, V
