"""What scikit-learn expects of an estimator's parameters, without scikit-learn."""

import inspect
from typing import Any, Self

__all__ = ["Parameters"]


class Parameters:
    """The parameters are those of `__init__`, each kept in the attribute of its name."""

    @classmethod
    def _defaults(cls):
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
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
        """Change parameters, for the next `fit`; `partial_fit` goes on with those of the last.

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

    def __repr__(self):
        defaults = self._defaults()
        changed = [f"{k}={v!r}" for k, v in self.get_params().items() if repr(v) != repr(defaults[k])]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self):
        from fastfm_c.encoding._tags import transformer_tags

        return transformer_tags()
