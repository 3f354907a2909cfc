"""Which learning rate and which penalties a training takes where nobody has given them.

An *attempt* is a training of the same model, from the same start and over the same rows, with certain
*settings*. Its *value* is the best validation figure of its epochs, and smaller is better. The first attempt
has next to no penalty. How soon it is at its best says where to look further:

- At once: the steps may be too long. Shorter ones are tried.
- Soon: it learns by heart, as with ids of users and items. Strong penalties on the factors are tried, and
  unless they harm, still stronger ones with longer steps. Where they do harm, mild penalties are tried with
  shorter steps, and taken where they lose little.
- Late: there are many rows for each parameter. Mild penalties are tried, and taken where they lose little.

The numbers below were chosen on the data sets of ``python -m bench defaults``, and on others of their kinds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from fastfm_c.training._history import Candidate, EpochInfo, History

__all__ = ["Attempt", "Judge", "Settings", "search"]

SMALL, MIDDLE, STRONG = (1e-5, 1e-5), (1e-3, 1e-2), (6e-3, 4e-2)  # l2_linear, l2_factors
STRONGEST = 8e-3, 8e-2
STEPS, SHORT_STEPS, LONGER_STEPS, LONG_STEPS = 2.0, 0.6, 3.0, 10.0  # times the default of the solver
SOON = 6  # epochs
LEAST_LIMIT = 8  # epochs that an attempt with long steps may have
TIE = 0.005  # of the value: a difference that may be chance
LARGE = 20_000  # rows: from here on time is short
MOST_WORK = 3.8  # the epochs of a search and of what follows, over those of one training by early stopping
RISE = 0.05  # of the best value: an attempt that has become so much worse has learned by heart


class Settings(NamedTuple):
    """What a search chooses.

    Parameters
    ----------
    learning_rate : float, str or callable
    l2_linear, l2_factors : float
    """

    learning_rate: Any
    l2_linear: Any
    l2_factors: Any


@dataclass
class Attempt:
    """A training with certain settings.

    Parameters
    ----------
    settings : Settings
    history : History
    value : float
        Infinite without a figure.
    learner : object
        What was trained.
    error : Exception, optional
        What ended it, if that was a divergence.
    """

    settings: Settings
    history: History
    value: float
    learner: Any = None
    error: Exception | None = None

    def candidate(self, is_chosen: bool) -> Candidate:
        """What a history tells of it."""
        history = self.history
        best = history.best_epoch
        figure = None if best is None else history.validation[best - 1]
        return Candidate(*self.settings, figure, best, history.n_iter, history.stop_reason, is_chosen)


# attempt(settings, rival, limit): a new training that may end when it cannot beat the rival, or after `limit`
# epochs; None is no rival, and as many epochs as the caller allows
Trainer: TypeAlias = Callable[[Settings, Attempt | None, int | None], Attempt]


class Judge:
    """A callback that ends an attempt which will not beat its rival.

    Parameters
    ----------
    rival : Attempt or None
    limit : int
        Most epochs of this attempt.
    is_short : bool
        Whether time is short: an attempt whose figure has become much worse ends.
    sign : int
        -1 if larger figures are better, else 1.
    """

    def __init__(self, rival: Attempt | None, limit: int, is_short: bool, sign: int) -> None:
        self.rival, self.limit, self.is_short, self.sign = rival, limit, is_short, sign
        self.best: list[float] = []  # value after each epoch
        self.has_ended = False

    def __call__(self, info: EpochInfo) -> bool:
        value = math.inf if info.validation is None else self.sign * info.validation
        self.best.append(min([value, *self.best[-1:]]))
        self.has_ended = self._rises(value) or self._is_hopeless()
        return self.has_ended

    def _rises(self, value: float) -> bool:
        return self.is_short and value > self.best[-1] + RISE * abs(self.best[-1])

    def _is_hopeless(self) -> bool:
        """Whether it is behind its rival, and would be at the end if it went on as in the last 3 epochs."""
        n, best = len(self.best), self.best[-1]
        if self.rival is None or n < 4:
            return False
        behind = best - _with_tie(self.rival.value)
        return behind > 0 and (self.best[-4] - best) / 3 * (self.limit - n) < behind


class _Ended(Exception):
    """A callback of the user ended the search."""


def search(
    train: Trainer, given: Settings, rate: float, n_rows: int, n_fields: int
) -> tuple[Attempt, list[Attempt]]:
    """Try settings. The attempt that is chosen, and all of them.

    Parameters
    ----------
    train : callable
        ``train(settings, rival, limit)`` makes an `Attempt`, which may end when it cannot beat the rival, or
        after `limit` epochs.
    given : Settings
        None where something is to be chosen.
    rate : float
        The default learning rate of the solver.
    n_rows : int
    n_fields : int
        Of an FFM; 2 for an FM. A factor vector of an FFM sees one other field, and one of an FM all columns.

    Raises
    ------
    DivergenceError
        If no attempt had a figure.
    """
    tries = _Tries(train, given, rate, max(n_fields - 1, 1) ** -0.5)
    try:
        best = _climb(tries, n_rows)
    except _Ended:
        best = min(tries.made, key=lambda attempt: attempt.value)
    if best.error is not None:
        raise best.error
    return best, tries.made


class _Tries:
    """Makes each attempt once, and keeps what was trained for the best of them alone."""

    def __init__(self, train: Trainer, given: Settings, rate: float, strength: float) -> None:
        self.train, self.given, self.rate, self.strength = train, given, rate, strength
        self.made: list[Attempt] = []

    @property
    def n_epochs(self) -> int:
        return sum(attempt.history.n_iter for attempt in self.made)

    def __call__(
        self, steps: float, l2: tuple[float, float], rival: Attempt | None = None, limit: int | None = None
    ) -> Attempt:
        """An attempt with a multiple of the default learning rate; what is given stays."""
        wanted = Settings(steps * self.rate, l2[0], l2[1] * self.strength)
        settings = Settings(*(w if g is None else g for w, g in zip(wanted, self.given, strict=True)))
        for attempt in self.made:
            if attempt.settings == settings:
                return attempt
        attempt = self.train(settings, rival, limit)
        self.made.append(attempt)
        best = min(made.value for made in self.made)
        for made in self.made:
            if made.value > _with_tie(best):
                made.learner = None  # room for the next
        if attempt.history.stop_reason == "callback":
            raise _Ended
        return attempt


def _climb(attempt: _Tries, n_rows: int) -> Attempt:
    """The best attempt: see the top of this file."""
    first = best = attempt(STEPS, SMALL)
    soon = first.history.best_epoch or 1
    if soon == 1:
        best = _better(best, attempt(SHORT_STEPS, SMALL, best))
    if soon > SOON:
        return _if_no_worse(attempt(STEPS, MIDDLE, best), best)
    strong = attempt(LONGER_STEPS, STRONG, best)
    if strong.value > _with_tie(best.value):
        return best if soon == 1 else _if_no_worse(attempt(1, MIDDLE, best), best)
    limit = None
    if n_rows >= LARGE:
        limit = max(int((MOST_WORK * (2 * soon + 5) - attempt.n_epochs) / 1.25), LEAST_LIMIT)
    return _better(strong, attempt(LONG_STEPS, STRONGEST, strong, limit))


def _better(old: Attempt, new: Attempt) -> Attempt:
    return new if new.value < old.value else old


def _if_no_worse(milder: Attempt, best: Attempt) -> Attempt:
    """Penalties that cost nothing are taken: on other rows they may help."""
    return milder if milder.value <= _with_tie(best.value) else best


def _with_tie(value: float) -> float:
    """The largest value that counts as equal."""
    return value + TIE * abs(value) if value < math.inf else value
