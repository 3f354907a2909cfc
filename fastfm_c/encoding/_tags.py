"""What scikit-learn asks of a transformer; imported when it does."""

from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

__all__ = ["transformer_tags"]


def transformer_tags() -> Tags:
    """Tags of a transformer that takes tables of strings and needs no targets."""
    return Tags(
        estimator_type=None,
        target_tags=TargetTags(required=False),
        transformer_tags=TransformerTags(preserves_dtype=[]),
        input_tags=InputTags(two_d_array=True, categorical=True, string=True, allow_nan=True),
    )
