"""Objects of scikit-learn in files: see `fastfm_c.persistence`.

Pipelines, transformers and calibrated classifiers around the estimators of this package. A file holds the
parameters and the attributes that `CLASSES` names, as data. scikit-learn's own ``__setstate__`` takes them
in, which warns of another version of scikit-learn, as it does for pickles.
"""

import inspect
from typing import Any, NamedTuple

import numpy as np
import sklearn

from fastfm_c.persistence._json import json_member
from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.sklearn._foreign_values import ValueReader, ValueWriter

__all__ = ["CLASSES", "from_state", "to_state"]


class _Class(NamedTuple):
    """What objects of a class may have beside their parameters."""

    attributes: str = ""
    per_feature: str = ""  # attributes that are None, or have an element for each feature
    none: str = ""  # parameters that a file holds as None alone: functions, and folders of pickles


_SCALED = "n_samples_seen_"
_ENCODED = "_infrequent_enabled _infrequent_indices _default_to_infrequent_mappings _missing_indices"
_DROPPED = "_drop_idx_after_grouping drop_idx_ _n_features_outs"
_COLUMNS = "_columns _transformer_to_input_indices _remainder _n_features sparse_output_ transformers_"
_COLUMNS += " output_indices_ _transformers_feature_names_out"
_IMPUTED = "_fit_dtype _fill_dtype indicator_"

# All of them have n_features_in_, feature_names_in_ and _sklearn_output_config, too.
CLASSES: dict[str, _Class] = {
    "Pipeline": _Class(none="memory"),
    "FeatureUnion": _Class(),
    "ColumnTransformer": _Class(_COLUMNS),
    "FieldColumnTransformer": _Class(_COLUMNS),
    "make_column_selector": _Class(),
    "StandardScaler": _Class(_SCALED, "mean_ var_ scale_"),
    "MinMaxScaler": _Class(_SCALED, "min_ scale_ data_min_ data_max_ data_range_"),
    "MaxAbsScaler": _Class(_SCALED, "max_abs_ scale_"),
    "RobustScaler": _Class("", "center_ scale_"),
    "OneHotEncoder": _Class(f"{_ENCODED} {_DROPPED}", "categories_"),
    "OrdinalEncoder": _Class(_ENCODED, "categories_"),
    "SimpleImputer": _Class(_IMPUTED, "statistics_"),
    "MissingIndicator": _Class("features_ _n_features _precomputed"),
    "FunctionTransformer": _Class(none="func inverse_func"),
    "CalibratedClassifierCV": _Class("calibrated_classifiers_ classes_"),
    "FrozenEstimator": _Class(),
    "IsotonicRegression": _Class("increasing_ X_min_ X_max_ X_thresholds_ y_thresholds_"),
    "_CalibratedClassifier": _Class("estimator calibrators classes method"),
    "_SigmoidCalibration": _Class("a_ b_"),
    "_TemperatureScaling": _Class("beta_"),
}
_COMMON = "n_features_in_ feature_names_in_ _sklearn_output_config"


def to_state(obj: Any, writer: Writer) -> dict[str, Any]:
    """The state of an object: its parameters and what a fit left."""
    name, known, values = type(obj).__name__, _names_of(type(obj)), ValueWriter(writer)
    members = _members(obj)
    for attribute in members:
        if attribute not in known:
            raise ValueError(f"{name} has an attribute {attribute}, which a file cannot hold")
    for parameter in CLASSES[name].none.split():
        if members.get(parameter) is not None:
            found = members[parameter]
            raise ValueError(f"{name}.{parameter} is {found!r:.200}, a file holds None alone")
    return {
        "sklearn_version": sklearn.__version__,
        "members": {key: values.encode(value, key, f"{name}.{key}") for key, value in members.items()},
    }


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The object of a state."""
    name, known, values = create.__name__, _names_of(create), ValueReader(reader)
    version = json_member(state, "sklearn_version", str)
    members = _defaults(create)
    for key, value in json_member(state, "members", dict).items():
        if key not in known:
            hint = f" in scikit-learn {sklearn.__version__}, the file is of {version:.50}"
            raise ValueError(f"{name} has no attribute {key!r:.200}{hint * (version != sklearn.__version__)}")
        if value is not None and key in CLASSES[name].none.split():
            raise ValueError(f"{name}.{key} is {value!r:.200}, expected None")
        members[key] = values.decode(value, key)
    _check(name, members)
    obj = create.__new__(create)
    if create.__module__.startswith("sklearn.") and hasattr(obj, "get_params"):
        obj.__setstate__(members | {"_sklearn_version": version})
    else:
        vars(obj).update(members)
    return obj


def _members(obj: Any) -> dict[str, Any]:
    """What an object consists of."""
    members = dict(obj.__getstate__()) if hasattr(obj, "get_params") else dict(vars(obj))
    members.pop("_sklearn_version", None)
    return members


def _defaults(create: Any) -> dict[str, Any]:
    """Parameters with their defaults, for those that a file of an older scikit-learn does not have."""
    parameters = inspect.signature(create).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def _names_of(create: Any) -> set[str]:
    """The parameters and attributes that objects of a class may have."""
    attributes, per_feature, _ = CLASSES[create.__name__]
    return {*inspect.signature(create).parameters, *f"{attributes} {per_feature} {_COMMON}".split()}


def _check(name: str, members: dict[str, Any]) -> None:
    """Check that pieces belong together."""
    n_features = members.get("n_features_in_")
    names = members.get("feature_names_in_")
    if n_features is not None and (type(n_features) is not int or n_features < 0):
        raise ValueError(f"{name}.n_features_in_ is {n_features!r:.200}, expected a number of features")
    if names is not None and not (isinstance(names, np.ndarray) and names.shape == (n_features,)):
        raise ValueError(f"{name}.feature_names_in_ is {names!r:.200}, expected {n_features} names")
    for key in CLASSES[name].per_feature.split():
        value = members.get(key)
        if value is None:
            continue
        if not isinstance(value, list | np.ndarray) or len(value) != n_features:
            raise ValueError(f"{name}.{key} is {value!r:.200}, expected an element for each feature")
        if isinstance(value, list) and not all(isinstance(part, np.ndarray) for part in value):
            raise ValueError(f"{name}.{key} is {value!r:.200}, expected arrays")
    for key in ("steps", "transformer_list"):
        _check_steps(name, key, members.get(key))


def _check_steps(name: str, key: str, steps: Any) -> None:
    """Check that steps are named, and can be steps."""
    for step in steps if isinstance(steps, list) else [] if steps is None else [steps]:
        if not (isinstance(step, tuple | list) and len(step) == 2 and isinstance(step[0], str)):
            raise ValueError(f"{name}.{key} has {step!r:.200}, expected a name and a step")
        if not (step[1] is None or isinstance(step[1], str) or hasattr(step[1], "fit")):
            raise ValueError(f"{name}.{key} has the step {step[0]!r:.200}, which is {step[1]!r:.200}")
