"""The estimators: streams learn from columns in the units that `fit` takes, and in batches as small."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import AS_GOOD_AS_FIT, in_chunks, planted, targets_for

from fastfm_c.sklearn import FFMRegressor, FMClassifier, FMRegressor, _column_sizes
from fastfm_c.sklearn._batches import batch_edges
from fastfm_c.sklearn._fit_rows import FitRows
from fastfm_c.sklearn._stream_state import stream_from_state

UNITS = {
    "one": np.ones(6),
    "small": np.full(6, 1e-3),
    "large": np.full(6, 1e3),
    "all": 10.0 ** np.array([-6, -3, 0, 1, 3, 6]),
}


def columns_like(kind, n_rows):
    """Rows of columns in these units, or of columns that begin in another way than they go on."""
    X, y = planted(n_rows)
    X = X.toarray()
    if kind == "outlier":
        X[0] = 100
    elif kind == "tiny first":
        X[:1000, :3] *= 1e-5
    else:
        X *= UNITS[kind]
    return X, y


@pytest.mark.parametrize("n_rows", [1500, 3000])
@pytest.mark.parametrize("kind", [*UNITS, "outlier", "tiny first"])
def test_a_stream_is_learned_as_well_as_by_one_epoch_of_fit(kind, n_rows):
    """With the default settings and little noise. The first ten targets are equal."""
    X, y = columns_like(kind, n_rows + 1000)
    y = 900 + 28 * (y - y.mean()) / y.std()
    y[:10] = 900
    X, y, X_test, y_test = X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]
    fitted = FMRegressor(max_iter=1, early_stopping=False, random_state=0).fit(X, y)
    streamed = in_chunks(FMRegressor(random_state=0), X, y, [0, 10, *range(266, n_rows, 256), n_rows])
    errors = [np.sqrt(np.mean((model.predict(X_test) - y_test) ** 2)) for model in (streamed, fitted)]
    assert errors[0] < AS_GOOD_AS_FIT * errors[1]


@pytest.mark.parametrize("n_first", [0, 10, 200])
@pytest.mark.parametrize("solver", ["adagrad", "adam"])
@pytest.mark.parametrize("estimator", [FMClassifier, FFMRegressor])
def test_chunks_are_one_call_with_the_batches_of_the_default(estimator, solver, n_first, monkeypatch):
    """Batches grow and columns change their units; columns are looked at in blocks of any length."""
    X, y = planted(6000)
    y, options = targets_for(estimator, y, 3)
    X = X.toarray()
    X[5, 0], X[3000, 1], X[:1500, 2] = 300, 5000, X[:1500, 2] != 0
    X[:4000, 3] *= 1e-3
    X[1024:1280, 4] = 0
    X = sp.csr_array(X)
    weight = np.random.default_rng(0).choice([0.0, 0.5, 3.0], 6000)
    weight[2560 + n_first : 2816 + n_first] = 0
    whole, chunks = (estimator(solver=solver, random_state=0) for _ in range(2))
    first = [0, n_first] if n_first else [0]
    in_chunks(whole, X, y, [*first, 6000], weight, **options)
    monkeypatch.setattr(_column_sizes, "LEAST_VALUES", 1000)
    in_chunks(chunks, X, y, [*first, *range(256 + n_first, 6000, 256), 6000], weight, **options)
    assert chunks.model_ == whole.model_


def test_batches_grow_with_the_rows_before():
    rows = FitRows(sp.csr_array((20_000, 1)), np.zeros(20_000), None)
    sizes = np.diff(batch_edges(rows, 256, 0))
    assert sizes[:32].tolist() == [8] * 32
    assert sizes.sum() == 20_000
    assert (np.diff(sizes[:-1]) >= 0).all()
    assert np.diff(batch_edges(rows, 256, 10**6)).tolist() == [256] * 78 + [32]
    assert np.diff(batch_edges(rows, 100, None)).tolist() == [100] * 200


def test_a_solver_of_a_stream_has_units_of_its_own_again():
    """Outside of the estimator's calls a larger value raises the unit of a column."""
    X, y = planted(600)
    model = in_chunks(FMRegressor(random_state=0), X, y, [0, 600])
    before = model.solver_.state_arrays["scale"].copy()
    model.solver_.partial_fit(X * 100, y)
    assert (model.solver_.state_arrays["scale"] > 10 * before).all()


class Tensors:
    """What `stream_from_state` asks of a file."""

    def __init__(self, **tensors):
        self.tensors = {f"stream.{name}": np.array(value, float) for name, value in tensors.items()}

    def has_tensor(self, name):
        return name in self.tensors

    def tensor(self, name, kinds, writable=False):
        return self.tensors[name]


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"counts": [1, 2]}, "counts of columns"),
        ({"sizes": [1, 1], "counts": [1, 2], "weights": [1, 2]}, "counts and weights"),
        ({"sizes": [1, 1], "weights": [1, 2], "squares": [1, 2]}, "weights and squares"),
        ({"sizes": [1, 1], "counts": [1, 2], "weights": [1, 0], "squares": [1, 2]}, "different columns"),
        ({"sizes": [1, 1], "counts": [1, -2]}, "finite counts"),
        ({"sizes": [1, 1], "counts": [1]}, "2 finite counts"),
    ],
)
def test_figures_of_columns_that_no_stream_has_are_refused(tensors, words):
    model = FMRegressor(random_state=0).partial_fit(np.eye(2), [1.0, 2.0]).model_
    state = {"n_rows": 2, "weight": 2.0, "deviation": 0.0, "init_stdev": 0.0, "seed": 1, "n_learned": 2}
    with pytest.raises(ValueError, match=words):
        stream_from_state(state, model, Tensors(**tensors))
