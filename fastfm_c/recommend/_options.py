"""The parameters of a recommender and their checks."""

import inspect
from typing import Any, Self

from fastfm_c._validation import as_count, as_not_negative, as_positive, as_real_dtype

__all__ = ["Options"]

_CHOICES = {
    "loss": ("warp", "bpr", "logistic"),
    "solver": ("adagrad", "adam"),
    "negative_sampling": ("uniform", "popularity"),
    "early_stopping": (None, False, True, "ndcg", "precision"),
}
_DEFAULT_RATES = {"adagrad": 0.1, "adam": 0.01}
_COUNTS = "n_factors", "max_iter", "max_sampled", "n_iter_no_change", "eval_k"
_LEAST_BATCH, _LARGEST_BATCH, _BATCHES = (
    32,
    4096,
    64,
)  # at least so many batches, as far as these limits allow


class Options:
    """Named parameters that are stored as given; a subclass's `__init__` lists them."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name.

        Parameters
        ----------
        deep : bool
            Not used; scikit-learn passes it.

        Returns
        -------
        dict
        """
        return {name: getattr(self, name) for name in _names(type(self))}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Returns
        -------
        self
        """
        for name, value in params.items():
            if name not in _names(type(self)):
                raise ValueError(
                    f"{name!r} is no parameter of {type(self).__name__}: {list(_names(type(self)))}"
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = _names(type(self))
        shown = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if repr(value) != repr(defaults[name])
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _check(self) -> None:
        """Raise for a parameter outside its range."""
        values = self.get_params()
        for name in _COUNTS:
            as_count(values[name], name)
        for name, choices in _CHOICES.items():
            if not any(values[name] is choice or values[name] == choice for choice in choices):
                raise ValueError(
                    f"{name} must be one of {', '.join(map(repr, choices))}, got {values[name]!r}"
                )
        for name in "l2_linear", "l2_factors", "init_stdev", "tol":
            as_not_negative(values[name], name)
        if values["learning_rate"] is not None:
            as_positive(values["learning_rate"], "learning_rate")
        if values["batch_size"] is not None:
            as_count(values["batch_size"], "batch_size")
        if values["n_jobs"] is not None and values["n_jobs"] != -1:
            as_count(values["n_jobs"], "n_jobs")
        as_real_dtype(values["dtype"])

    def _solver_options(self, n_entries: int) -> dict[str, Any]:
        """Arguments of the solver for so many interactions."""
        values = self.get_params()
        rate, batch_size = values["learning_rate"], values["batch_size"]
        if batch_size is None:
            batch_size = min(max(n_entries // _BATCHES, _LEAST_BATCH), _LARGEST_BATCH)
        return {
            "learning_rate": _DEFAULT_RATES[values["solver"]] if rate is None else rate,
            "batch_size": batch_size,
            "l2_linear": values["l2_linear"],
            "l2_factors": values["l2_factors"],
        }

    def _num_threads(self) -> int | None:
        n_jobs: int | None = self.get_params()["n_jobs"]
        return None if n_jobs == -1 else n_jobs


def _names(cls: type) -> dict[str, Any]:
    """The names of the parameters, in order, and their defaults."""
    signature = inspect.signature(cls)
    return {name: parameter.default for name, parameter in signature.parameters.items()}
