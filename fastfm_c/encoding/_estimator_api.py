"""What scikit-learn expects of an estimator. scikit-learn is imported when it asks, or for its own error."""

import inspect
from typing import Any, Self

__all__ = ["EstimatorAPI", "not_fitted"]


def not_fitted(encoder: Any) -> ValueError:
    """The error of an encoder that is not fitted: scikit-learn's, where that is installed."""
    message = f"this {type(encoder).__name__} is not fitted yet: call fit"
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return ValueError(message)
    error: ValueError = NotFittedError(message)
    return error


class EstimatorAPI:
    """The parameters are those of `__init__`. Each is kept in the attribute of its name."""

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        parameters = list(inspect.signature(cls).parameters.values())
        return {parameter.name: parameter.default for parameter in parameters}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Read the parameters.

        Parameters
        ----------
        deep : ignored
            For scikit-learn.

        Returns
        -------
        dict of str to object
        """
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **params: Any) -> Self:
        """Change parameters for the next `fit`; `partial_fit` goes on with those of the last one.

        Parameters
        ----------
        **params
            By name.

        Returns
        -------
        encoder
            Itself.

        Raises
        ------
        ValueError
            For a name that is no parameter.
        """
        for name, value in params.items():
            if name not in self._defaults():
                expected = ", ".join(self._defaults())
                raise ValueError(f"{name!r} is no parameter, expected one of {expected}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = self._defaults()
        changed = [f"{k}={v!r}" for k, v in self.get_params().items() if repr(v) != repr(defaults[k])]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        """Whether `fit` has been called."""
        return "_learned" in vars(self)

    def get_metadata_routing(self) -> Any:
        """Which metadata the methods take: none.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRequest
        """
        from sklearn.utils.metadata_routing import MetadataRequest

        return MetadataRequest(owner=self)

    def __sklearn_tags__(self) -> Any:
        """Tags of a transformer that takes tables of strings and needs no targets."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(two_d_array=True, categorical=True, string=True, allow_nan=True),
        )
