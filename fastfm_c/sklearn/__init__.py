"""scikit-learn estimators: FMClassifier, FMRegressor, FFMClassifier, FFMRegressor; transformers for them."""

try:
    from fastfm_c.sklearn._classifier import FFMClassifier, FMClassifier
    from fastfm_c.sklearn._encoder import FieldEncoder
    from fastfm_c.sklearn._fields import FieldColumnTransformer
    from fastfm_c.sklearn._onnx import register_onnx_converters
    from fastfm_c.sklearn._regressor import FFMRegressor, FMRegressor
except ImportError as error:
    if (error.name or "").partition(".")[0] not in ("joblib", "sklearn"):
        raise
    raise ImportError(
        "fastfm_c.sklearn needs scikit-learn 1.6 or newer: pip install 'fastfm-c[sklearn]'"
    ) from error

__all__ = [
    "FFMClassifier",
    "FFMRegressor",
    "FMClassifier",
    "FMRegressor",
    "FieldColumnTransformer",
    "FieldEncoder",
    "register_onnx_converters",
]
