"""Recommending: candidates beside contexts, and learning to rank."""

from fastfm_c.recommend._candidates import Candidates
from fastfm_c.recommend._evaluate import evaluate, leave_last_out, split_by_user
from fastfm_c.recommend._ids import Ids, Interactions
from fastfm_c.recommend._interactions import from_frame
from fastfm_c.recommend._recommender import FMRecommender

__all__ = [
    "Candidates",
    "FMRecommender",
    "Ids",
    "Interactions",
    "evaluate",
    "from_frame",
    "leave_last_out",
    "split_by_user",
]
