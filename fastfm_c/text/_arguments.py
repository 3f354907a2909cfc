"""The arguments of the readers of text, checked."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastfm_c._field_table import as_fields
from fastfm_c._validation import as_count, require_choice
from fastfm_c.text._feature_fields import Policy, columns_of

__all__ = ["INDEX_LIMIT", "FieldArguments", "as_n_features", "first_index_of", "limit_of"]

INDEX_LIMIT = 1 << 60


def first_index_of(zero_based: Any) -> int | None:
    """The index of the first column in a file; None if the file must tell."""
    if zero_based == "auto":
        return None
    if not isinstance(zero_based, (bool, np.bool_)):
        raise ValueError(f"zero_based must be True, False or 'auto', got {zero_based!r}")
    return 0 if zero_based else 1


def as_n_features(n_features: int | None) -> int | None:
    """A number of features from a user; None if the file must tell."""
    return None if n_features is None else min(int(as_count(n_features, "n_features")), INDEX_LIMIT)


def limit_of(n_features: int | None, unknown: str) -> int | None:
    """How many features the file may have: n_features, or any number where those beyond it are ignored."""
    require_choice(unknown, "unknown", ("error", "ignore"))
    return None if unknown == "ignore" else n_features


class FieldArguments:
    """The arguments of a reader of libffm files, checked."""

    def __init__(
        self, fields: ArrayLike | None, n_features: int | None, on_field_conflict: str, unknown: str
    ) -> None:
        require_choice(on_field_conflict, "on_field_conflict", ("error", "split", "ignore"))
        require_choice(unknown, "unknown", ("error", "ignore"))
        n_features = as_n_features(n_features)
        self.policy = Policy(on_field_conflict, unknown)
        self.known = None if fields is None else as_fields(fields, n_features, None)
        self.columns = columns_of(self.known, n_features, self.policy)

    @property
    def is_complete(self) -> bool:
        """Whether the columns are known before the file is read."""
        return self.known is not None and (
            self.policy.on_field_conflict != "split" or self.policy.unknown == "ignore"
        )
