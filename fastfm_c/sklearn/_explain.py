"""A hint for those who pass words where numbers are wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import scipy.sparse as sp

__all__ = ["explained_conversion"]

_SAYS_WORDS = "could not convert", "must be a string or", "could not be converted", "unsupported operand"


@contextmanager
def explained_conversion(X: Any, estimator: Any) -> Iterator[None]:
    """Add to the error of a conversion of X to numbers what makes numbers of it."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if sp.issparse(X) or not any(words in str(error) for words in _SAYS_WORDS):
            raise
        name = type(estimator).__name__
        raise type(error)(
            f"{error}: X holds values that are no numbers. An encoder makes numbers of them: "
            f"make_pipeline(fastfm_c.FieldEncoder(), {name}(...))"
        ) from error
