"""What a model says about rows, and whether rows are still like those it learned from.

`explain` splits the score of a row among its features or fields, exactly. `pair_importance` and `top_pairs`
find the pairs that count. `Drift` compares rows and scores with those of before, `compare_norms` two models.
"""

from fastfm_c.inspection._drift import Drift
from fastfm_c.inspection._explain import explain
from fastfm_c.inspection._explanation import Explanation
from fastfm_c.inspection._importance import pair_importance
from fastfm_c.inspection._norms import compare_norms
from fastfm_c.inspection._report import DriftReport, FieldDrift
from fastfm_c.inspection._top_pairs import top_pairs

__all__ = [
    "Drift",
    "DriftReport",
    "Explanation",
    "FieldDrift",
    "compare_norms",
    "explain",
    "pair_importance",
    "top_pairs",
]
