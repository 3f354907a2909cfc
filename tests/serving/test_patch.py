"""Patches: what they hold, and that readers see each feature old or new."""

import io
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.make import make_model

from fastfm_c import FM, load, save
from fastfm_c.serving import _patch, apply, diff, quantize

N = 50


def two_models(kind="FM", outputs=(), dtype="float32"):
    rng = np.random.default_rng(0)
    fields = np.arange(N) % 4 if kind == "FFM" else None
    old = make_model(rng, outputs, N, 3, dtype, n_fields=4, fields=fields)
    new = old.copy()
    if kind == "FFM":
        new.V[..., [3, 40], :, :] = 7
    else:
        new.V[..., [3, 40], :] = 7
    new.w[..., 12] = -1
    new.w0 = np.asarray(new.w0) + np.asarray(1, dtype) if outputs else new.w0 + 1
    return old, new


def written(old, new):
    file = io.BytesIO()
    n = diff(old, new, file)
    file.seek(0)
    return file, n


@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("outputs", [(), (2,)])
@pytest.mark.parametrize("how", ["float32", "float64", "float16", "int8"])
@pytest.mark.parametrize("copy", [True, False])
def test_the_old_model_and_the_patch_are_the_new_model(kind, outputs, how, copy):
    old, new = two_models(kind, outputs, how if how in ("float32", "float64") else "float32")
    if how == "int8" and kind == "FM":
        old.V[..., 0, 0] = new.V[..., 0, 0] = 100  # the same scale
    if how in ("float16", "int8"):
        old, new = quantize(old, how), quantize(new, how)
    file, n = written(old, new)
    assert 3 <= n <= N
    before = old.copy()
    result = apply(old, file, copy=copy)
    assert result == new
    assert (result is old) is not copy
    assert old == (before if copy else new)


def test_the_sum_of_the_old_numbers_is_that_of_machines_of_either_byte_order():
    now = two_models(outputs=(2,))[0]._snapshot()
    arrays = {name: getattr(now, name) for name in ("w0", "w", "V")}
    there = SimpleNamespace(
        **{name: array.astype(array.dtype.newbyteorder("S")) for name, array in arrays.items()},
        scale=None,
        scale_of=None,
    )
    features = np.array([3, 12, 40])
    assert _patch._sum_of(there, features) == _patch._sum_of(now, features)


def test_two_equal_models_give_an_empty_patch():
    old, _ = two_models()
    file, n = written(old, old.copy())
    assert n == 0
    assert apply(old, file) is old


def test_the_size_of_a_patch():
    old = FM.random(100_000, 16, rng=0)
    new = old.copy()
    new.V[1000:2000] += 1
    file, n = written(old, new)
    assert n == 1000
    assert len(file.getvalue()) < 1.1 * 1000 * 68 + 2000


def test_what_is_refused(tmp_path):
    old, new = two_models()
    file, _ = written(old, new)
    with pytest.raises(ValueError, match="other numbers are there"):
        apply(new.copy(), file)
    for other in (FM.random(N, 4), FM.random(N + 1, 3), old.copy()):
        other.normalize = "instance" if other.n_features == N and other.n_factors == 3 else None
        file.seek(0)
        with pytest.raises(ValueError, match="the patch is for FM of 50 x 3 float32"):
            apply(other, file)
        with pytest.raises(ValueError, match="expected two of one kind"):
            diff(old, other, io.BytesIO())
    other = old.copy()
    other.repeats = "separate"
    with pytest.raises(ValueError, match="expected two of one kind"):
        diff(old, other, io.BytesIO())
    a = two_models("FFM")[0]
    b = type(a)(a.w0, a.w, a.V, np.asarray(a.fields)[::-1])
    with pytest.raises(ValueError, match="fields of the models differ"):
        diff(a, b, io.BytesIO())
    with pytest.raises(ValueError, match="other scales"):
        diff(quantize(old, "int8"), quantize(new, "int8"), io.BytesIO())
    save(old, tmp_path / "model")
    with pytest.raises(ValueError, match="expected a patch"):
        apply(old, tmp_path / "model")
    file.seek(0)
    with pytest.raises(ValueError, match="read-only"):
        apply(load(tmp_path / "model"), file)
    file.seek(0)
    assert apply(load(tmp_path / "model"), file, copy=True) == new
    with pytest.raises(ValueError, match="expected an FM"):
        apply("model", file)


def test_damaged_patches_are_refused_or_harmless():
    old, new = two_models()
    file, _ = written(old, new)
    text, rng, refused = file.getvalue(), np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(text)
        damaged[rng.integers(len(text))] = rng.integers(256)
        try:
            apply(old.copy(), io.BytesIO(bytes(damaged)))
        except ValueError:
            refused += 1
    assert refused > 100


def test_readers_see_each_feature_old_or_new():
    """All numbers of a feature are 0, or all are 1: w counts 1 and a pair with feature 0 counts k."""
    k, n = 64, 2000
    old = FM(0.0, np.zeros(n, np.float32), np.zeros((n, k), np.float32))
    old.V[0] = 1
    new = old.copy()
    new.V[1:], new.w[1:] = 1, 1
    there, back = written(old, new)[0], written(new, old)[0]
    seen, stop, failures = set(), threading.Event(), []

    def read():
        rng, values = np.random.default_rng(), np.ones(2)
        X = np.zeros((1, n))
        while not stop.is_set():
            for j in rng.integers(1, n, 50):
                seen.add(old.predict_row([0, j], values))
            X[:] = 0
            X[0, [0, j]] = 1
            seen.add(float(old.predict(X)[0]))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            for patch in there, back:
                patch.seek(0)
                apply(old, patch)
    except ValueError as error:  # pragma: no cover
        failures.append(error)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert seen <= {0.0, 1.0 + k}
    assert len(seen) == 2
