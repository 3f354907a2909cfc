"""Models, solvers, estimators and encoders in files: safetensors with JSON, no pickle."""

import contextlib
import errno
import json
import os
import secrets
import stat
from typing import Any

from fastfm_c._version import __version__
from fastfm_c.persistence import _safetensors
from fastfm_c.persistence._registry import Reader, Writer

__all__ = ["load", "save"]

_FORMAT = "fastfm_c"
_SCHEMA_VERSION = "1"  # a reader refuses all others, so it changes whenever a state has a new member


def save(obj: Any, path: str | bytes | os.PathLike[Any]) -> None:
    """Write a model, a solver, an estimator or an encoder to a file.

    The file is in the safetensors format, so other programs can read its arrays. It is written beside `path`,
    as ``fastfm_c-<random>.tmp``, and takes its place when all is on the disk: at any moment there is the old
    file or the new one. If the process is killed, the temporary file may be left; it can be deleted.

    Parameters
    ----------
    obj : FM, FFM, SGD, AdaGrad, Adam, FTRL, loss, estimator of `fastfm_c.sklearn`, encoder, or a dict of them
        A solver comes with its model, its loss and the state of its random numbers: it goes on to the same
        bits. An estimator comes with its parameters and what a fit left. The keys of a dict are strings that
        can name a variable; a model that occurs twice in it is one model after loading, too.
    path : str, bytes or PathLike
        A file there keeps its permissions, and a link its place.

    Raises
    ------
    ValueError
        For an object of another type, and for an estimator with parameters that a file cannot hold, such as
        a function.
    OSError
        When the file cannot be written, or is a folder, a pipe or a device; what was there before still is.
        On Windows that is so, too, while the file is mapped by any process: see `load`.

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
    writer = Writer()
    metadata = {
        "format": _FORMAT,
        "schema_version": _SCHEMA_VERSION,
        "library_version": __version__,
        "object": json.dumps(writer.state(obj), allow_nan=False),
    }
    target, mode = _target(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f"fastfm_c-{secrets.token_hex(8)}.tmp")  # short: long names work too
    try:
        with open(temporary, "xb") as file:
            if mode is not None:
                os.chmod(temporary, mode)
            _safetensors.write(file, writer.tensors, metadata)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # not every system opens folders
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _target(path: Any) -> tuple[str, int | None]:
    """Where the file itself is or will be, links followed, and the permissions of the one that is there."""
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


def load(path: str | bytes | os.PathLike[Any], mmap: bool = True) -> Any:
    """Read what `save` wrote.

    Nothing in a file chooses code to run: a file from anywhere gives an object of a known type, or an error.

    Parameters
    ----------
    path : str, bytes or PathLike
    mmap : bool, default True
        Models share their `w` and `V` with the file: loading takes the same short time for any size, and
        all processes that map a file share one copy of it in memory. Such a model, also that of an
        estimator, is read-only: train its ``copy()``. A file must not be changed in place while it is
        mapped (`save` never does that). On Windows a mapped file can be neither replaced nor deleted.
        What comes with a solver is copied, to go on. False copies everything.

    Returns
    -------
    object
        Of the type that was saved.

    Raises
    ------
    ValueError
        For a file that is damaged, not written by `save`, or of a version that this one does not know.
    ImportError
        For an estimator, if scikit-learn is not installed.
    OSError
        When the file cannot be read; FileNotFoundError when there is none.

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
    path, writer = os.fsdecode(path), ""
    try:
        tensors, metadata = _safetensors.read(path, mmap)
        if metadata.get("format") != _FORMAT:
            raise ValueError("the file was not written by fastfm_c.save")
        if (version := metadata.get("schema_version")) != _SCHEMA_VERSION:
            raise ValueError(
                f"the file has schema version {version!r:.50}, this fastfm_c {__version__} reads version "
                f"{_SCHEMA_VERSION}"
            )
        writer = f" (written by fastfm_c {metadata.get('library_version')!r:.50})"
        state = _safetensors.parse_json(metadata.get("object", ""), "the metadata's object")
        return Reader(tensors).whole(state)
    # Constructors say so in various ways when a value is none that they take.
    except (ValueError, TypeError, OverflowError, LookupError, AttributeError) as error:
        raise ValueError(f"{path}{writer}: {error}") from error
