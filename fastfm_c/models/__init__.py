"""The models, FM and FFM, and the gradient of an objective by their parameters."""

from fastfm_c.models._fm import FFM, FM
from fastfm_c.models._gradient import Gradient

__all__ = ["FFM", "FM", "Gradient"]
