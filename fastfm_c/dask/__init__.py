"""Training and scoring over Dask collections, on any number of machines: extra ``[dask]``."""

from fastfm_c.dask._train import fit_encoder, predict, train

__all__ = ["fit_encoder", "predict", "train"]
