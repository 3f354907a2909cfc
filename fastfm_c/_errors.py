"""Errors of the library's own, where none of Python's says enough."""

__all__ = ["DivergenceError"]


class DivergenceError(ArithmeticError):
    """Training ran away: a loss or a parameter is no longer a finite number.

    The message names the epoch, the learning rate and the largest ``|x|``; the model holds the
    last finite parameters. What helps: a smaller ``learning_rate``, columns of similar size, targets of
    order 1, more L2; for solvers also their ``clip_value``.
    """
