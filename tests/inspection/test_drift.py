"""Drift: what is counted, what is reported, what a file holds."""

import io

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import csr_of
from scipy.stats import ks_2samp

from fastfm_c import FFM, FM, FieldEncoder, load, save
from fastfm_c.datasets import load_adult
from fastfm_c.inspection import Drift, compare_norms


def table(rng, n, shift=0.0):
    return [
        {
            "color": rng.choice(["red", "blue", "green"]),
            "price": rng.normal() + shift,
            "tags": ["a", "b"][: rng.integers(3)],
        }
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def encoded():
    rng = np.random.default_rng(0)
    encoder = FieldEncoder({"color": "categorical", "price": "numeric", "tags": "multi"})
    X = encoder.fit_transform(table(rng, 2000))
    return encoder, X, encoder.transform(table(rng, 500)), encoder.transform(table(rng, 500, 2.0))


def test_rows_of_the_same_kind_give_no_alarm(encoded):
    encoder, X, same, shifted = encoded
    drift = Drift(encoder=encoder).fit(X, np.arange(2000.0))
    report = drift.compare(same)
    assert list(report) == ["color", "price", "tags"]
    assert report.alarms == []
    assert report.scores is None
    assert drift.compare(shifted).alarms == ["price"]
    assert drift.compare(X, np.arange(2000.0) + 1500).alarms == ["scores"]
    assert repr(drift) == "Drift(2000 rows, 3 fields)"
    assert repr(report) == "DriftReport(500 rows, 3 fields, alarms: none)"


def test_psi_by_hand():
    """Shares of .5, .5 and .9, .1: (.4) log(1.8) - (.4) log(.2) = .8789."""
    reference, new = np.eye(2)[np.arange(10**6) % 2], np.eye(2)[(np.arange(10**6) % 10 == 0).astype(int)]
    found = Drift(fields=[0, 0]).fit(reference).compare(new)[0]
    assert found.psi == pytest.approx(0.4 * np.log(1.8) - 0.4 * np.log(0.2), abs=1e-4)
    assert found.ks == pytest.approx(0.4)
    assert found.is_alarm


def test_ks_is_that_of_scipy_up_to_the_bins():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(3000, 1)), rng.normal(0.3, 1.2, size=(2000, 1))
    found = Drift(n_bins=200).fit(a).compare(b)[0]
    wanted = ks_2samp(a[:, 0], b[:, 0])
    assert wanted.statistic - 0.01 < found.ks <= wanted.statistic + 1e-12
    assert found.p_value < 1e-6
    assert Drift().fit(a).compare(a)[0].p_value == 1.0


def test_unknown_and_missing(encoded):
    encoder, X, _, _ = encoded
    drift = Drift(encoder=encoder).fit(X)
    rows = [{"color": "pink", "price": 1.0, "tags": ["a"]}, {"color": "red", "price": None, "tags": []}]
    report = drift.compare(encoder.transform(rows))
    assert report["color"].unknown == 0.5
    assert report["tags"].missing == 0.5
    assert report["color"].reference_unknown == 0.0
    assert report["tags"].reference_missing == pytest.approx(1 / 3, abs=0.05)


def test_a_column_that_the_reference_never_had_is_unknown():
    drift = Drift.fit(np.array([[1.0, 0], [1, 0]]))
    assert Drift(fields=[0, 0]).fit([[1, 0], [1, 0]]).compare([[0, 1], [1, 0]])[0].unknown == 0.5
    assert drift.compare([[0, 1.0]])[1].unknown == 1.0


def test_windows_are_merged_in_any_order():
    rng = np.random.default_rng(2)
    X, scores = rng.normal(size=(900, 3)) * [1, 0, 1], rng.normal(size=900)
    reference = Drift.fit(X[:300], scores[:300])
    whole = reference.like().update(X[300:], scores[300:])
    parts = [reference.like().update(X[i : i + 200], scores[i : i + 200]) for i in (300, 500, 700)]
    merged = reference.like().merge(*parts[::-1])
    assert merged.n_rows == whole.n_rows == 600
    a, b, c = (reference.compare(w) for w in (whole, merged, (X[300:])))
    assert a.fields == b.fields == c.fields
    assert a.scores == b.scores
    assert c.scores is None
    with pytest.raises(ValueError, match="other bins"):
        reference.merge(Drift.fit(X[300:600]))
    with pytest.raises(ValueError, match="expected a Drift"):
        reference.merge(X)


def test_a_drift_in_a_file(encoded, tmp_path):
    encoder, X, same, shifted = encoded
    drift = Drift(encoder=encoder).fit(X, np.arange(2000.0))
    save({"drift": drift, "encoder": encoder}, tmp_path / "drift")
    again = load(tmp_path / "drift")["drift"]
    for rows in same, shifted:
        assert again.compare(rows, np.ones(500)).fields == drift.compare(rows, np.ones(500)).fields
    again.update(same)
    assert again.merge(drift).n_rows == 4500


def test_numbers_that_are_not_finite_make_no_edges():
    """They made edges that are not finite, which `load` refuses."""
    X = np.array([[1.0], [2.5], [np.nan], [-np.inf], [3.5], [np.inf]])
    file = io.BytesIO()
    save(Drift(n_bins=3).fit(X), file)
    file.seek(0)
    assert load(file).compare(X)[0].psi == 0


def test_damaged_files_are_refused(encoded):
    """A changed byte anywhere gives an equal object, another one that works, or a ValueError."""
    encoder, X, same, _ = encoded
    file = io.BytesIO()
    save(Drift(encoder=encoder).fit(X, np.arange(2000.0)), file)
    text = file.getvalue()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(text)
        damaged[rng.integers(len(text))] = rng.integers(256)
        try:
            drift = load(io.BytesIO(bytes(damaged)))
        except ValueError:
            refused += 1
            continue
        with np.errstate(all="ignore"):
            drift.compare(same)
    assert refused > 30


def test_what_is_refused():
    X = np.eye(3)
    with pytest.raises(ValueError, match="call fit"):
        Drift().update(X)
    with pytest.raises(ValueError, match="no reference"):
        save(Drift(), io.BytesIO())
    drift = Drift.fit(X)
    for call, words in [
        (lambda: drift.compare(np.eye(4)), "4 columns"),
        (lambda: drift.update(X, [1, 2, 3]), "fit had none"),
        (lambda: Drift.fit(X, [1, 2]), "scores has shape"),
        (lambda: Drift.fit(X, [1, np.inf, 2]), r"scores\[1\]"),
        (lambda: Drift.fit(np.zeros((0, 3))), "no rows"),
        (lambda: Drift(fields=[0, 1]).fit(X), "fields has shape"),
        (lambda: Drift(fields=[0, 1, 10**9]).fit(X), "fields goes to"),
        (lambda: Drift(n_bins=1), "n_bins"),
        (lambda: drift.compare(drift, [1]), "beside a window"),
        (lambda: drift.update(csr_of(np.array([0, 1]), np.array([3]), np.ones(1), (1, 3))), "column index 3"),
        (lambda: drift.update(csr_of(np.array([0, 2, 1]), np.array([0, 1]), np.ones(2), (2, 3))), "indptr"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    assert drift.compare(sp.csr_array((0, 3)))[0].psi is not None


def test_the_frame():
    pytest.importorskip("pandas")
    frame = Drift.fit(np.eye(3), np.arange(3)).compare(np.eye(3), np.arange(3)).to_frame()
    assert frame.index.tolist() == [0, 1, 2, "scores"]
    assert not frame["is_alarm"].any()


def test_false_alarms_on_resampled_adult():
    """The documented rate: windows of the rows that the reference is drawn from give an alarm for a field in
    less than one of a thousand comparisons, and a change of a tenth of the rows to one value gives one."""
    data = load_adult()
    rng = np.random.default_rng(0)
    reference = Drift(fields=data.fields).fit(data.X_train)
    comparisons = alarms = 0
    for n in (200, 1000, 5000):
        for _ in range(20):
            report = reference.compare(data.X_train[rng.integers(0, data.X_train.shape[0], n)])
            comparisons, alarms = comparisons + len(report), alarms + len(report.alarms)
    assert comparisons == 60 * 14
    assert alarms <= 1


def test_norms_of_two_models():
    fields = [0, 0, 1]
    old = FFM.random(fields, 2, rng=0)
    new = old.copy()
    new.resize(4, [*fields, 1], rng=0)
    new.V[0] = 3 * old.V[0]
    found = compare_norms(old, new)
    assert found[1].moved == 0
    assert found[0].n_features == 2
    assert found[0].new_largest >= found[0].old_largest
    assert found[0].moved == pytest.approx(
        np.linalg.norm(2 * old.V[0]) / 2 / np.mean([np.linalg.norm(v) for v in old.V[:2]]), rel=1e-6
    )
    with pytest.raises(ValueError, match="old model"):
        compare_norms(new, old)
    with pytest.raises(ValueError, match="old model"):
        compare_norms(FM.random(2, 2), FM.random(2, 3))
    assert np.isnan(compare_norms(FM(0, [0], np.zeros((1, 2))), FM.random(1, 2))[0].moved)
