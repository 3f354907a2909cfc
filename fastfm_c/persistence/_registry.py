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
    "FieldTable": Kind("table", "fastfm_c", "fastfm_c._field_table"),
    "FieldEncoder": Kind("encoder", "fastfm_c.encoding", "fastfm_c.encoding._state"),
    "FieldEncoder of sklearn": Kind(
        "encoder", "fastfm_c.sklearn", "fastfm_c.encoding._state", class_name="FieldEncoder"
    ),
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
    if name not in KINDS or type(obj) is not KINDS[name].class_named(name):
        hint = ""
        if name == "Pipeline":
            hint = "; save its steps: save({'encoder': pipe[0], 'model': pipe[-1]}, path)"
        raise ValueError(f"obj is a {type(obj).__module__}.{name}; can save {', '.join(KINDS)}{hint}")
    return name, KINDS[name]
