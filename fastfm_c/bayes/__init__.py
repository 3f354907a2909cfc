"""Bayesian factorization machines: Gibbs sampling, which tunes its own penalties and knows its doubts."""

from fastfm_c.bayes._ordered import OrderedProbit
from fastfm_c.bayes._posterior import Posterior
from fastfm_c.bayes._sample import SampleInfo, sample

__all__ = ["OrderedProbit", "Posterior", "SampleInfo", "sample"]
