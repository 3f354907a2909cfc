"""Small models for serving, and changes that reach a model while it serves.

`quantize` makes the parameters of a model small, `prune` leaves out those that do not count, `diff` writes
what has changed between two models, and `apply` takes that in.
"""

from fastfm_c.serving._patch import apply, diff
from fastfm_c.serving._prune import Pruned, prune
from fastfm_c.serving._quantize import quantize
from fastfm_c.serving._quantized import QuantizedFFM, QuantizedFM

__all__ = ["Pruned", "QuantizedFFM", "QuantizedFM", "apply", "diff", "prune", "quantize"]
