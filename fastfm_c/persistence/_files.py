"""Models, solvers, estimators and encoders in files: safetensors with JSON, no pickle."""

import contextlib
import errno
import json
import os
import secrets
import stat
from typing import Any

from fastfm_c._open_files import Source, is_file, open_output
from fastfm_c._version import __version__
from fastfm_c.persistence import _safetensors
from fastfm_c.persistence._json import parse_json
from fastfm_c.persistence._objects import object_of, state_of

__all__ = ["load", "save"]

_FORMAT = "fastfm_c"
_SCHEMA_VERSION = "1"  # a reader refuses all others; so a state with a new member needs a new version


def save(obj: Any, path: Source) -> None:
    """Write a model, a solver, an estimator or an encoder to a file.

    The file is in the safetensors format, so other programs can read its arrays. It is written beside `path`
    as ``fastfm_c-<random>.tmp``, and replaces the old file when all of it is on the disk. At any moment there
    is the old file or the new one. If the process is killed, the temporary file may be left; it can be
    deleted.

    Parameters
    ----------
    obj : model, quantised model, Drift, loss, solver, encoder, estimator, Pipeline, or a dict of them
        A solver is saved with its model, its loss and the state of its random numbers; after loading it
        goes on to the same bits. An estimator is saved with its parameters and what a fit left. The keys of
        a dict are strings that can name a variable. A model that occurs twice in a dict is also one model
        after loading. Of scikit-learn's own classes a file holds Pipeline, FeatureUnion, ColumnTransformer,
        StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, OneHotEncoder, OrdinalEncoder,
        SimpleImputer, and CalibratedClassifierCV around estimators of this package.
    path : str, bytes, PathLike or binary file
        A file that is there keeps its permissions. A link stays a link. An open file, such as an io.BytesIO,
        is written to as it is, and left open.

    Raises
    ------
    ValueError
        For an object of another type, and for an estimator with parameters that a file cannot hold, such as
        a function. The step of a Pipeline is named.
    OSError
        If the file cannot be written, or is a folder, a pipe or a device. What was there before is still
        there. On Windows this also happens while any process maps the file: see `load`.

    Examples
    --------
    >>> import os, tempfile
    >>> import fastfm_c
    >>> fm = fastfm_c.FM.random(4, 2, rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     fastfm_c.save(fm, path)
    ...     fastfm_c.load(path, mmap=False) == fm
    True
    """
    state, tensors = state_of(obj)
    metadata = {
        "format": _FORMAT,
        "schema_version": _SCHEMA_VERSION,
        "library_version": __version__,
        "object": json.dumps(state, allow_nan=False),
    }
    if is_file(path):
        with open_output(path) as file:
            _safetensors.write(file, tensors, metadata)
    else:
        _replace(path, tensors, metadata)


def _replace(path: Any, tensors: _safetensors.Tensors, metadata: dict[str, str]) -> None:
    """Write a file beside that of the path, which then takes its place."""
    target, mode = _target(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f"fastfm_c-{secrets.token_hex(8)}.tmp")  # short: long names work too
    try:
        with open(temporary, "xb") as file:
            if mode is not None:
                os.chmod(temporary, mode)
            _safetensors.write(file, tensors, metadata)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # some systems cannot open folders
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _target(path: Any) -> tuple[str, int | None]:
    """The path of the file itself, with links followed, and the permissions of a file that is there."""
    path = os.fsdecode(path)
    if os.path.basename(path) in ("", os.curdir, os.pardir):
        raise IsADirectoryError(errno.EISDIR, "path names no file", path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return os.path.realpath(path), None
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "path is there and no regular file", path)
    return os.path.realpath(path), stat.S_IMODE(mode)


def load(path: Source, mmap: bool = True) -> Any:
    """Read what `save` wrote.

    Nothing in a file chooses code to run. A file from an unknown source gives an object of a known type, or
    an error. Objects of scikit-learn from another of its versions come with its InconsistentVersionWarning,
    as from a pickle.

    Parameters
    ----------
    path : str, bytes, PathLike or binary file
        An open file, such as an io.BytesIO, is read from where it stands to its end. It is left open, and
        never mapped.
    mmap : bool, default True
        Models share their `w` and `V` with the file. Loading then takes the same short time for any size,
        and all processes that map a file share one copy of it in memory. Such a model is read-only, also
        within an estimator: train its ``copy()``. Do not change a file in place while it is mapped (`save`
        never does). On Windows a mapped file can be neither replaced nor deleted. A solver and its model
        are copied, because they write to their arrays. False copies everything.

    Returns
    -------
    object
        An object of the type that was saved.

    Raises
    ------
    ValueError
        For a file that is damaged, that `save` did not write, or whose version this one does not know.
    ImportError
        For an estimator, if scikit-learn is not installed.
    OSError
        If the file cannot be read; FileNotFoundError if there is none.

    Examples
    --------
    >>> import os, tempfile
    >>> import fastfm_c
    >>> solver = fastfm_c.AdaGrad(fastfm_c.FM.random(4, 2, rng=0), fastfm_c.LogisticLoss(), rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "solver.safetensors")
    ...     fastfm_c.save(solver, path)
    ...     fastfm_c.load(path)
    AdaGrad(FM(n_features=4, n_factors=2, dtype=float32), LogisticLoss(), learning_rate=0.05, \
l2_linear=0.0, l2_factors=0.0, batch_size=256, initial_accumulator=1.0)
    """
    source: Any = path if is_file(path) else os.fsdecode(path)  # type: ignore[arg-type]
    written_by = ""
    try:
        tensors, metadata = _safetensors.read(source, mmap)
        if metadata.get("format") != _FORMAT:
            raise ValueError("the file was not written by fastfm_c.save")
        if (version := metadata.get("schema_version")) != _SCHEMA_VERSION:
            raise ValueError(
                f"the file has schema version {version!r:.50}, this fastfm_c {__version__} reads version "
                f"{_SCHEMA_VERSION}"
            )
        written_by = f" (written by fastfm_c {metadata.get('library_version')!r:.50})"
        state = parse_json(metadata.get("object", ""), "the metadata's object")
        return object_of(state, tensors)
    # Constructors raise various errors for a value that they do not take.
    except (ValueError, TypeError, OverflowError, LookupError, AttributeError, RecursionError) as error:
        name = getattr(source, "name", "<file>") if is_file(source) else source
        raise ValueError(f"{name}{written_by}: {error}") from error
