"""`train`: epochs of a solver over the rows, with validation, early stopping and progress."""

from fastfm_c.training._history import Candidate, Epoch, EpochInfo, History
from fastfm_c.training._train import train

__all__ = ["Candidate", "Epoch", "EpochInfo", "History", "train"]
