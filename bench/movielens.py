"""The ratings of MovieLens-100k, from the folder that the environment variable FASTFM_C_MOVIELENS names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import scipy.sparse as sp

__all__ = ["movielens", "read_ratings"]


def movielens() -> sp.csr_array | None:
    """The interactions, or None where the environment names no folder."""
    folder = os.environ.get("FASTFM_C_MOVIELENS")
    return read_ratings(Path(folder) / "u.data") if folder else None


def read_ratings(path: Path) -> sp.csr_array:
    """Who has rated what: 1 for each pair of user and item in lines of user, item, rating and time.

    Users and items are numbered in ascending order of their ids. Ratings are not looked at, as in LightFM's
    examples.
    """
    pairs = np.loadtxt(path, np.int64, usecols=(0, 1), ndmin=2)
    if not len(pairs):
        raise ValueError(f"{path} has no ratings")
    users, user = np.unique(pairs[:, 0], return_inverse=True)
    items, item = np.unique(pairs[:, 1], return_inverse=True)
    matrix = sp.csr_array((np.ones(len(pairs), np.float32), (user, item)), shape=(len(users), len(items)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
