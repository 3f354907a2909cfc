"""Reads text in the formats of LIBSVM and libffm block after block."""

from typing import Any

from numpy.typing import ArrayLike, DTypeLike

from fastfm_c._field_table import as_fields
from fastfm_c._validation import as_count
from fastfm_c.text._arguments import FieldArguments, as_n_features, first_index_of, limit_of
from fastfm_c.text._blocks import TextBlocks, TextSource, shift_of
from fastfm_c.text._feature_fields import Policy

__all__ = ["iter_libffm", "iter_libsvm"]


def iter_libsvm(
    path: Any,
    *,
    rows: int = 100_000,
    n_features: int | None = None,
    zero_based: bool | str = "auto",
    unknown: str = "error",
    dtype: DTypeLike = "float32",
    num_threads: int | None = None,
) -> TextBlocks:
    """Blocks of rows of a text file that does not fit in memory, for ``partial_fit``.

    Without `n_features`, or with ``zero_based="auto"``, the file is read once more, to find them.

    Parameters
    ----------
    path, n_features, zero_based, unknown, dtype, num_threads
        As for `load_libsvm`. A file object is read again from where it stands, and so must be seekable. A
        pipe or the like is read once, and needs `n_features` and `zero_based`.
    rows : int
        The number of rows of each block; the last block may have fewer.

    Returns
    -------
    TextBlocks
        Each iteration over it reads the file and yields ``(X, y)``.

    Raises
    ------
    ValueError
        As for `load_libsvm`, here or during iteration.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import iter_libsvm
    >>> blocks = iter_libsvm(io.BytesIO(b"1 1:1\\n0 2:1\\n1 4:1\\n"), rows=2)
    >>> blocks.n_features, [X.shape for X, y in blocks]
    (4, [(2, 4), (1, 4)])
    """
    first_index, n_features = first_index_of(zero_based), as_n_features(n_features)
    block_rows, n_rows = as_count(rows, "rows"), None
    limit = limit_of(n_features, unknown)
    source = TextSource(path, dtype, num_threads)
    if first_index is None or n_features is None:
        scanned, n_rows = source.scan(first_index, limit)
        shift = shift_of(scanned, first_index, n_features, unknown)
        n_features = scanned.largest + 1 - shift if n_features is None else n_features
        first_index = shift if first_index is None else first_index
    policy = Policy(unknown=unknown)
    return TextBlocks(source, block_rows, n_features, first_index=first_index, n_rows=n_rows, policy=policy)


def iter_libffm(
    path: Any,
    *,
    rows: int = 100_000,
    fields: ArrayLike | None = None,
    n_features: int | None = None,
    on_field_conflict: str = "error",
    unknown: str = "error",
    dtype: DTypeLike = "float32",
    num_threads: int | None = None,
) -> TextBlocks:
    """Blocks of rows of a libffm file that does not fit in memory, for ``partial_fit``.

    Without `fields` the file is read once more, to find the field of each feature. So it is where
    ``on_field_conflict="split"`` may add columns to `fields`.

    Parameters
    ----------
    path, rows, dtype, num_threads
        As for `iter_libsvm`. A pipe needs `fields`.
    fields, n_features, on_field_conflict, unknown
        As for `load_libffm`.

    Returns
    -------
    TextBlocks
        Each iteration over it reads the file and yields ``(X, y)``. X is a FieldCSR. The attribute ``fields``
        has the table that `load_libffm` returns.

    Raises
    ------
    ValueError
        As for `load_libffm`, here or during iteration.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import FFM, AdaGrad, LogisticLoss, iter_libffm
    >>> blocks = iter_libffm(io.BytesIO(b"1 0:0:1 1:2:1\\n0 0:1:1\\n"), rows=1)
    >>> solver = AdaGrad(FFM.random(blocks.fields, 4, rng=0), LogisticLoss())
    >>> for X, y in blocks:
    ...     loss = solver.partial_fit(X, y)
    """
    arguments = FieldArguments(fields, n_features, on_field_conflict, unknown)
    block_rows, n_rows, known = as_count(rows, "rows"), None, arguments.known
    source = TextSource(path, dtype, num_threads)
    if known is None or not arguments.is_complete:
        columns = arguments.columns
        scanned, n_rows = source.scan(0, columns.limit, columns)
        known = columns.table(columns.n_columns(scanned))
    known = as_fields(known, None, None)
    return TextBlocks(source, block_rows, len(known), fields=known, n_rows=n_rows, policy=arguments.policy)
