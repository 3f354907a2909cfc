"""What an encoder is after `fit`: its attributes, its lock, its pickles."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.encoding._estimator_api import not_fitted
from fastfm_c.encoding._learned import Learned

__all__ = ["Fitted"]


class Fitted:
    """An encoder that keeps what it has learned in one attribute: threads see all of it or nothing."""

    _learned: Learned

    @property
    def fields_(self) -> NDArray[np.int32]:
        """The field of each feature: the position of its column."""
        return self._of_fit("fields_").field_of

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """The names of the columns."""
        return np.array(self._of_fit("feature_names_in_").names, object)

    @property
    def n_features_in_(self) -> int:
        """The number of columns."""
        return len(self._of_fit("n_features_in_").names)

    @property
    def unknown_counts_(self) -> dict[str, int]:
        """In how many rows each column had an unknown value, since the last `transform` began."""
        return self._of_fit("unknown_counts_").unknown_counts

    @property
    def missing_counts_(self) -> dict[str, int]:
        """In how many rows each column had a missing value, since the last `transform` began."""
        return self._of_fit("missing_counts_").missing_counts

    @property
    def _is_fitted(self) -> bool:
        return "_learned" in vars(self)

    @property
    def _lock(self) -> Any:
        """What a thread holds while it learns, or reads what may not change meanwhile."""
        return vars(self).setdefault("_writing", threading.RLock())

    def _fitted(self) -> Learned:
        try:
            return self._learned
        except AttributeError:
            raise not_fitted(self) from None

    def _of_fit(self, name: str) -> Learned:
        """What was learned, for the attribute of this name, which there is only then."""
        if not self._is_fitted:
            raise AttributeError(f"{name} is there after fit: this {type(self).__name__} is not fitted yet")
        return self._learned

    def __getstate__(self) -> dict[str, Any]:
        """Without the lock, and with a copy of what is learned, so that threads may go on."""
        with self._lock:
            state = dict(vars(self))
            del state["_writing"]
            if self._is_fitted:
                state["_learned"] = self._learned.__getstate__()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "_learned" in state:
            self._learned = Learned.__new__(Learned)
            self._learned.__setstate__(state["_learned"])
