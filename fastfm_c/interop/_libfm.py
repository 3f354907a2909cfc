"""libFM's text models: up to three tables, each after its title."""

from itertools import repeat

import numpy as np
from numpy.typing import DTypeLike

from fastfm_c._validation import as_real_dtype
from fastfm_c.interop._number_tables import (
    Source,
    open_model_text,
    open_model_text_output,
    require_model,
    write_table,
)
from fastfm_c.models import FM

__all__ = ["dump_libfm_model", "load_libfm_model"]

_GLOBAL, _UNARY, _PAIRWISE = "#global bias W0", "#unary interactions Wj", "#pairwise interactions Vj,f"


def load_libfm_model(path: Source, *, dtype: DTypeLike = "float32") -> FM:
    """The model that libFM's ``-save_model`` wrote.

    Parameters
    ----------
    path : str, path-like or binary file
        Blank lines at the end are skipped.
    dtype : "float32" (default) or "float64"
        libFM writes six digits, which float32 holds.

    Returns
    -------
    FM
        Parts that libFM left out, because of ``-dim 0,...`` or ``-dim k0,0,...``, are 0.

    Raises
    ------
    ValueError
        If the file is not such a model, or has no factors (``-dim k0,k1,0``).

    Notes
    -----
    For regression, libFM's predictions are these scores, clipped to the smallest and largest target of its
    training. For classes that were learned by SGD they are the logistic function of the scores; for classes
    that were learned by ALS, the normal distribution function.

    Examples
    --------
    >>> import tempfile
    >>> from fastfm_c import FM
    >>> from fastfm_c.interop import dump_libfm_model, load_libfm_model
    >>> fm = FM.random(3, 4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_libfm_model(fm, f"{folder}/model")
    ...     load_libfm_model(f"{folder}/model") == fm
    True
    """
    dtype = as_real_dtype(dtype)
    with open_model_text(path) as lines:
        w0 = lines.table(lines.until("#"), dtype, 1) if lines.skip(_GLOBAL) else np.zeros((1, 1), dtype)
        if len(w0) != 1:
            raise ValueError(f"{lines.name}: {len(w0)} lines of bias, expected 1")
        w = lines.table(lines.until("#"), dtype, 1) if lines.skip(_UNARY) else None
        if not lines.skip(_PAIRWISE):
            raise lines.error(repr(_PAIRWISE))
        if lines.line.isspace() or (not lines.line and lines.ends_blank):
            raise lines.error("factors: an FM has at least one, this model was made without")
        V = lines.table(lines.until("#"), dtype)
        lines.end()
    if len(V) == 0:
        raise ValueError(f"{lines.name}: no lines of factors, expected one for each feature")
    if w is None:
        w = np.zeros((len(V), 1), dtype)
    if len(w) != len(V):
        raise ValueError(
            f"{lines.name}: {len(w)} linear weights, expected {len(V)}: one for each line of factors"
        )
    model = FM(w0[0, 0], w[:, 0], V)
    model.repeats = "separate"
    return model


def dump_libfm_model(model: FM, path: Source) -> None:
    """Write a model for libFM's ``-load_model`` with ``-dim 1,1,n_factors``.

    Parameters
    ----------
    model : FM
        With one output, not normalised. float32 is written with 9 digits and float64 with 17, which keep
        every bit.
    path : str, path-like or binary file

    Raises
    ------
    ValueError
        If the format cannot hold the model.

    Notes
    -----
    libFM itself does not read a model of one factor, not even one of its own.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastfm_c import FM
    >>> from fastfm_c.interop import dump_libfm_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_libfm_model(FM(0.5, [1.0], np.array([[2.0, 0.25]])), f"{folder}/model")
    ...     print(Path(folder, "model").read_text(), end="")
    #global bias W0
    0.5
    #unary interactions Wj
    1
    #pairwise interactions Vj,f
    2 0.25
    """
    require_model(model, (FM,), (None,), "libFM")
    with open_model_text_output(path) as file:
        for title, table in (
            (_GLOBAL, np.full((1, 1), model.w0, model.dtype)),
            (_UNARY, model.w[:, None]),
            (_PAIRWISE, model.V),
        ):
            file.write(title + "\n")
            write_table(file, repeat(""), table)
