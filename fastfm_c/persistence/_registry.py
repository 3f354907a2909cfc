"""Which objects a file can hold, and which module writes and reads each of them.

This package imports none of the modules that it names here. A module is imported when an object of its kind
is saved or loaded. So a new class takes one line of `KINDS`, and two functions in the module of that line:

``to_state(obj, writer)``
    Returns the members of the object's state, a dict of JSON values. It gives arrays to the `Writer`.
``from_state(create, state, reader)``
    Returns an object of the class `create`. It reads members by `json_member`, which removes them from the
    state. It takes arrays from the `Reader`. What it leaves over is an error.
"""

from importlib import import_module
from typing import Any, NamedTuple

__all__ = ["KINDS", "SHARED", "Kind", "kind_of"]


class Kind(NamedTuple):
    """What the table says about a class."""

    group: str  # what an object can stand for: an object with a part names the group that the part must have
    home: str  # the module that users import the class from
    state: str  # the module that has to_state and from_state
    class_name: str | None = None  # where it is not the name in the table

    def class_named(self, name: str) -> Any:
        """The class itself."""
        return getattr(import_module(self.home), self.class_name or name)

    def state_module(self) -> Any:
        """The module with the two functions."""
        return import_module(self.state)


# What can stand around an estimator; names that begin with "_" occur within others alone.
_OF_SCIKIT_LEARN = {
    "pipeline": "Pipeline FeatureUnion",
    "compose": "ColumnTransformer make_column_selector",
    "preprocessing": "StandardScaler MinMaxScaler MaxAbsScaler RobustScaler OneHotEncoder OrdinalEncoder "
    "FunctionTransformer",
    "impute": "SimpleImputer MissingIndicator",
    "calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "isotonic": "IsotonicRegression",
    "frozen": "FrozenEstimator",
}

# By the name of the class, which is the object's "kind" in a file. A name in this table never changes.
KINDS: dict[str, Kind] = {
    "FM": Kind("model", "fastfm_c", "fastfm_c.models._state"),
    "FFM": Kind("model", "fastfm_c", "fastfm_c.models._state"),
    "SquaredLoss": Kind("loss", "fastfm_c", "fastfm_c.models._state"),
    "LogisticLoss": Kind("loss", "fastfm_c", "fastfm_c.models._state"),
    "SoftmaxLoss": Kind("loss", "fastfm_c", "fastfm_c.models._state"),
    "SGD": Kind("solver", "fastfm_c", "fastfm_c.solvers._state"),
    "AdaGrad": Kind("solver", "fastfm_c", "fastfm_c.solvers._state"),
    "Adam": Kind("solver", "fastfm_c", "fastfm_c.solvers._state"),
    "FTRL": Kind("solver", "fastfm_c", "fastfm_c.solvers._state"),
    "FMClassifier": Kind("estimator", "fastfm_c.sklearn", "fastfm_c.sklearn._state"),
    "FMRegressor": Kind("estimator", "fastfm_c.sklearn", "fastfm_c.sklearn._state"),
    "FFMClassifier": Kind("estimator", "fastfm_c.sklearn", "fastfm_c.sklearn._state"),
    "FFMRegressor": Kind("estimator", "fastfm_c.sklearn", "fastfm_c.sklearn._state"),
    "Drift": Kind("drift", "fastfm_c.inspection", "fastfm_c.inspection._drift_state"),
    "QuantizedFM": Kind("small model", "fastfm_c.serving", "fastfm_c.serving._state"),
    "QuantizedFFM": Kind("small model", "fastfm_c.serving", "fastfm_c.serving._state"),
    "Patch": Kind("patch", "fastfm_c.serving._patch", "fastfm_c.serving._patch"),
    "Posterior": Kind("posterior", "fastfm_c.bayes", "fastfm_c.bayes._state"),
    "Checkpoint": Kind("checkpoint", "fastfm_c.distributed._checkpoint", "fastfm_c.distributed._checkpoint"),
    "FieldTable": Kind("table", "fastfm_c", "fastfm_c._field_table"),
    "FMRecommender": Kind("recommender", "fastfm_c.recommend", "fastfm_c.recommend._state"),
    "Ids": Kind("ids", "fastfm_c.recommend", "fastfm_c.recommend._state"),
    "FieldEncoder": Kind("encoder", "fastfm_c.encoding", "fastfm_c.encoding._state"),
    "FieldEncoder of sklearn": Kind(
        "encoder", "fastfm_c.sklearn", "fastfm_c.encoding._state", class_name="FieldEncoder"
    ),
    "FieldColumnTransformer": Kind("transformer", "fastfm_c.sklearn", "fastfm_c.sklearn._foreign_state"),
    **{
        name: Kind("scikit-learn", f"sklearn.{module}", "fastfm_c.sklearn._foreign_state")
        for module, names in _OF_SCIKIT_LEARN.items()
        for name in names.split()
    },
}
SHARED = {"model"}  # groups whose objects stay one object when they occur twice in a file


def kind_of(obj: Any) -> tuple[str, Kind]:
    """The name and the line of an object's class.

    Raises
    ------
    ValueError
        For an object that no file can hold; subclasses are among them.
    """
    name = type(obj).__name__
    if name == "FieldEncoder" and type(obj).__module__.startswith("fastfm_c.sklearn."):
        name = "FieldEncoder of sklearn"
    if name not in KINDS or not _is_class(type(obj), name):
        known = ", ".join(kind for kind in KINDS if not kind.startswith("_"))
        hint = "; save its best_estimator_" if hasattr(obj, "best_estimator_") else ""
        raise ValueError(f"obj is a {type(obj).__module__}.{name}; can save {known}{hint}")
    return name, KINDS[name]


def _is_class(cls: type, name: str) -> bool:
    """Whether this is the class of a line of the table, and not another one of its name."""
    kind = KINDS[name]
    if kind.group == "scikit-learn" and not cls.__module__.startswith("sklearn."):
        return False
    return cls is kind.class_named(name)
