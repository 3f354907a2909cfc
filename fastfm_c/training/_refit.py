"""How long, and at which learning rates, all rows are learned after the best number of epochs is known.

The last epochs take ever shorter steps. Early stopping finds the best of many epochs, whose figures go up and
down; steps that become shorter come to such a place by themselves.
"""

import numpy as np

__all__ = ["rates_after", "rates_from_start"]

FROM_START = 20  # epochs; after more, going on from the best parameters is as good, and takes less time
SHARE = 4  # one over the share of the epochs that is replaced by twice as many, of falling rates


def rates_from_start(n_epochs: int, max_iter: int | None) -> list[float]:
    """What multiplies the learning rate in each epoch of a training from the start.

    Parameters
    ----------
    n_epochs : int
        The best number of epochs without the rows that were held out.
    max_iter : int, optional
        The most that there may be.

    Examples
    --------
    >>> rates_from_start(4, None)
    [1.0, 1.0, 1.0, 0.75, 0.25]
    >>> rates_from_start(1, None)
    [1.0]
    """
    if n_epochs < 2:
        return [1.0]
    n_falling = max(1, n_epochs // SHARE)
    total = n_epochs + n_falling if max_iter is None else min(n_epochs + n_falling, max_iter)
    n_whole = max(total - 2 * n_falling, 0)
    n_falling = total - n_whole
    return [1.0] * n_whole + [(n_falling - k - 0.5) / n_falling for k in range(n_falling)]


def rates_after(n_epochs: int) -> list[float] | None:
    """The same for epochs that go on from the best parameters; None if a training from the start is better.

    Examples
    --------
    >>> [round(rate, 3) for rate in rates_after(24)]
    [0.5, 0.41, 0.32, 0.23, 0.14, 0.05]
    """
    if n_epochs <= FROM_START:
        return None
    rates: list[float] = np.linspace(0.5, 0.05, max(2, n_epochs // SHARE)).tolist()
    return rates
