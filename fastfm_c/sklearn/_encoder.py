"""`FieldEncoder` as a transformer of scikit-learn."""

from typing import Any, Self

from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin

from fastfm_c._field_csr import FieldCSR
from fastfm_c.encoding import FieldEncoder as _FieldEncoder

__all__ = ["FieldEncoder"]


class FieldEncoder(TransformerMixin, BaseEstimator, _FieldEncoder):
    """`fastfm_c.FieldEncoder` with scikit-learn's base classes: `set_output`, HTML, metadata routing.

    Parameters, attributes and results are those of `fastfm_c.FieldEncoder`, and so is what `help` says of
    them. Files of `fastfm_c.save` keep which of both an encoder is.

    Notes
    -----
    No metadata are used, such as sample weights. ``check_estimator`` has nothing to say against this class.

    Examples
    --------
    >>> from fastfm_c.sklearn import FieldEncoder
    >>> rows = [{"colour": "red", "size": 1.0}, {"colour": "blue", "size": 3.0}]
    >>> FieldEncoder().fit_transform(rows).toarray()
    array([[ 0.,  0.,  1.,  0., -1.],
           [ 0.,  1.,  0.,  0.,  1.]], dtype=float32)
    """

    # scikit-learn wraps methods that a class itself defines, so that they obey set_output.

    def transform(self, X: Any) -> FieldCSR:
        """Encode a table: see `fastfm_c.FieldEncoder.transform`.

        Parameters
        ----------
        X : table
            With the columns of `fit`, in any order.

        Returns
        -------
        FieldCSR of shape (n_rows, n_features)
        """
        self._require_sparse_output()
        return _FieldEncoder.transform(self, X)

    def fit_transform(self, X: Any, y: Any = None) -> FieldCSR:
        """Do `fit` and `transform` at once.

        Parameters
        ----------
        X : table
            As for `fit`.
        y : ignored
            For pipelines.

        Returns
        -------
        FieldCSR of shape (n_rows, n_features)
        """
        self._require_sparse_output()
        return _FieldEncoder.fit_transform(self, X, y)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Ask for the default output. There is no other, because the result is sparse and knows its fields.

        Parameters
        ----------
        transform : {"default", None}
            With "pandas" or "polars", the next `transform` is an error that says what to do.

        Returns
        -------
        FieldEncoder
            This encoder.
        """
        encoder: Self = super().set_output(transform=transform)
        return encoder

    def _require_sparse_output(self) -> None:
        """Refuse a frame, which `set_output` or scikit-learn's `set_config` may have asked for."""
        own = getattr(self, "_sklearn_output_config", {}).get("transform")
        wanted = own or get_config()["transform_output"]
        if wanted != "default":
            raise ValueError(
                "The transformer outputs a scipy sparse matrix. It knows the field of each column, which a "
                f"frame of {wanted} does not: call set_output(transform='default'). A frame without fields "
                "is pandas.DataFrame.sparse.from_spmatrix(X, columns=encoder.get_feature_names_out())"
            )

    def __sklearn_tags__(self) -> Any:
        """Tags of a transformer that takes tables of strings and needs no targets."""
        tags = super().__sklearn_tags__()
        own = _FieldEncoder.__sklearn_tags__(self)
        tags.input_tags, tags.transformer_tags = own.input_tags, own.transformer_tags
        return tags
