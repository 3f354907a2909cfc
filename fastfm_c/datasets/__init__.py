"""Real data that ships with the package, ready for a factorization machine."""

from fastfm_c.datasets.adult import Adult, load_adult

__all__ = ["Adult", "load_adult"]
