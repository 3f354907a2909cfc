"""Recommending: candidates beside contexts, and learning to rank."""

from fastfm_c.recommend._candidates import Candidates

__all__ = ["Candidates"]
