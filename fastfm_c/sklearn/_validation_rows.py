"""The validation rows that a user gives to `fit`, in one of two ways."""

from dataclasses import dataclass
from typing import Any

from fastfm_c.sklearn._fit_rows import Weights, checked_weights

__all__ = ["ValidationRows", "given_validation_rows"]


@dataclass(frozen=True)
class ValidationRows:
    """Rows as they were given, which are not yet checked."""

    X: Any
    y: Any
    sample_weight: Any = None

    def checked_weight(self, X: Any) -> Weights | None:
        """The weights, for these rows in their checked form."""
        return None if self.sample_weight is None else checked_weights(self.sample_weight, X)


def given_validation_rows(
    X_val: Any, y_val: Any, sample_weight_val: Any, eval_set: Any
) -> ValidationRows | None:
    """The arguments of `fit` about validation as one thing; None if there are no such rows."""
    if eval_set is not None:
        if not (X_val is None and y_val is None and sample_weight_val is None):
            raise ValueError(
                "eval_set and X_val, y_val, sample_weight_val are two ways for one thing: give one"
            )
        return _from_eval_set(eval_set)
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val is given without X_val and y_val")
        return None
    if X_val is None or y_val is None:
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"{missing} is None: X_val and y_val are given together")
    return ValidationRows(X_val, y_val, sample_weight_val)


def _from_eval_set(eval_set: Any) -> ValidationRows:
    if isinstance(eval_set, list) and eval_set and all(isinstance(pair, tuple) for pair in eval_set):
        if len(eval_set) > 1:
            raise ValueError(f"eval_set holds {len(eval_set)} sets of validation rows, expected one")
        (eval_set,) = eval_set
    if not isinstance(eval_set, tuple) or len(eval_set) not in (2, 3):
        raise ValueError(
            "eval_set must be a tuple (X, y) or (X, y, sample_weight), or a list of one such tuple"
        )
    return ValidationRows(*eval_set)
