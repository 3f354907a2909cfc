"""The service of examples/service: answers, metrics, another file, hostile requests."""

import importlib.util
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from fastfm_c import LogisticLoss, load, save

SERVICE = Path(__file__).parents[2] / "examples" / "service"
pytestmark = pytest.mark.skipif(not SERVICE.is_dir(), reason="no examples/ here")


def module(name):
    spec = importlib.util.spec_from_file_location(f"service_{name}", SERVICE / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def client(tmp_path):
    for needed in "sklearn", "fastapi", "prometheus_client", "httpx":
        pytest.importorskip(needed)
    with warnings.catch_warnings():  # it asks for another client of HTTP, by a warning
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient
    save_bundle(tmp_path / "model", 0)
    service = module("app")
    with TestClient(service.create_app(str(tmp_path / "model"), poll_seconds=0.01)) as client:
        yield client


def rows(seed=0, n=60):
    rng = np.random.default_rng(seed)
    return [{"color": str(rng.choice(["red", "blue"])), "size": float(rng.normal())} for _ in range(n)]


def save_bundle(path, seed):
    given = rows(seed)
    y = np.array([row["color"] == "red" for row in given], int)
    save(module("train").make_bundle(given, y, early_stopping=False, max_iter=5 + seed), path)


def wanted(path, given):
    bundle = load(path, mmap=False)
    return LogisticLoss().proba(bundle["model"].predict(bundle["encoder"].transform(given)))


def test_answers_are_those_of_the_model(client, tmp_path):
    given = rows(5, 10)
    expected = wanted(tmp_path / "model", given)
    expected = expected if expected.ndim == 1 else expected[:, 1]
    answers = client.post("/batch", json=given).json()["probabilities"]
    np.testing.assert_allclose(answers, expected, rtol=1e-6)
    assert client.post("/score", json=given[0]).json() == {"probability": answers[0]}
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_metrics(client):
    client.post("/batch", json=rows(1, 1000))
    client.post("/batch", json=[{"color": "pink", "size": 5.0}] * 1000)
    text = client.get("/metrics").text
    assert "rows_total 2000.0" in text
    assert 'unknown_share{field="color"} 1.0' in text
    assert 'drift_alarm{field="color"} 1.0' in text
    assert 'request_seconds_count{path="/batch"} 2.0' in text
    assert "probability_count 2000.0" in text


def test_a_new_file_is_taken_and_a_broken_one_is_not(client, tmp_path):
    given = rows(7, 5)
    before = client.post("/batch", json=given).json()
    (tmp_path / "other").write_bytes(b"no model")
    (tmp_path / "other").replace(tmp_path / "model")
    until(lambda: "model_load_failures_total 1.0" in client.get("/metrics").text)
    assert client.post("/batch", json=given).json() == before
    save_bundle(tmp_path / "model", 3)
    until(lambda: client.post("/batch", json=given).json() != before)
    expected = wanted(tmp_path / "model", given)
    expected = expected if expected.ndim == 1 else expected[:, 1]
    np.testing.assert_allclose(client.post("/batch", json=given).json()["probabilities"], expected, rtol=1e-6)


def until(condition, seconds=20.0):
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds
        time.sleep(0.01)


@pytest.mark.parametrize("body", [b"", b"[1, 2", b"3", b'"a"', b'{"color": {"a": 1}}', b"[" * 5000])
@pytest.mark.parametrize("path", ["/score", "/batch"])
def test_hostile_requests_are_refused(client, body, path):
    assert client.post(path, content=body).status_code == 422
    assert client.post("/score", json=rows(0, 1)[0]).status_code == 200


def test_a_request_of_too_many_rows_is_refused(client):
    assert client.post("/batch", json=[{}] * 10_001).status_code == 422


@pytest.mark.slow
def test_the_load_test_ends_and_says_its_figures(client, tmp_path):
    pytest.importorskip("uvicorn")
    figures = module("load_test").main(tmp_path / "model", 0.5, 2, rows(0, 10))
    assert {"cold_start_seconds", "rows_per_second", "cpu_ms_per_row", "p50_ms", "p99_ms"} < figures.keys()
    assert all(not value < 0 for value in figures.values())


def test_manifests_and_the_dockerfile():
    yaml = pytest.importorskip("yaml")
    documents = [
        document
        for path in sorted((SERVICE / "kubernetes").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]
    assert sorted(d["kind"] for d in documents) == ["Deployment"] * 2 + ["HorizontalPodAutoscaler", "Service"]
    service = next(d for d in documents if d["kind"] == "Service")
    for deployment in (d for d in documents if d["kind"] == "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert "COPY app.py ." in (SERVICE / "Dockerfile").read_text()
