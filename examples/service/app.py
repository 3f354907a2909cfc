"""A service that scores rows over HTTP: an encoder and a model, mapped from one file.

Start: MODEL=model.safetensors uvicorn app:app
The file is a bundle that `fastfm_c.save` wrote: {"encoder": ..., "model": ..., "drift": ...}. When another
file takes its place, the service goes over to it; requests in flight end with the model that they began with.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from scipy.sparse import csr_array

import fastfm_c

WINDOW_ROWS = 1000  # rows that are compared with the reference at a time
MOST_ROWS = 10_000  # of one request
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


@dataclass
class Served:
    """One file, loaded."""

    encoder: Any
    model: Any
    drift: Any
    identity: tuple[int, int, int]
    window: list[tuple[Any, Any, float]] = field(default_factory=list)


class Metrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made = {"registry": self.registry}
        self.seconds = Histogram("request_seconds", "Time of a request", ["path"], buckets=SECONDS, **made)
        shares = [i / 20 for i in range(21)]
        self.probability = Histogram(
            "probability", "Probabilities that were answered", buckets=shares, **made
        )
        self.rows = Counter("rows", "Rows that were scored", **made)
        self.unknown = Gauge(
            "unknown_share", "Share of values that the reference does not have", ["field"], **made
        )
        self.missing = Gauge("missing_share", "Share of rows without a value", ["field"], **made)
        self.psi = Gauge("drift_psi", "Population stability index", ["field"], **made)
        self.alarm = Gauge("drift_alarm", "1 where a field has drifted", ["field"], **made)
        self.loaded = Gauge("model_loaded_timestamp_seconds", "When the present file was loaded", **made)
        self.failures = Counter("model_load_failures", "Files that could not be loaded", **made)


def identity_of(path: str) -> tuple[int, int, int]:
    """What tells a file from the one that stood there before."""
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns, status.st_size


def load(path: str) -> Served:
    """Load the bundle of a path."""
    identity = identity_of(path)
    bundle = fastfm_c.load(path)
    return Served(bundle["encoder"], bundle["model"], bundle.get("drift"), identity)


def row_of(served: Served, values: Any) -> tuple[Any, Any]:
    """The columns and values of a row of JSON."""
    if not isinstance(values, dict):
        raise HTTPException(422, "a row must be an object of names and values")
    try:
        indices, data = served.encoder.encode_row(values)
    except (ValueError, TypeError) as error:
        raise HTTPException(422, str(error)) from None
    return indices, data


def compare(served: Served, metrics: Metrics) -> None:
    """Compare the rows of the window with the reference, and begin a new one."""
    rows, served.window = served.window, []
    if served.drift is None or not rows:
        return
    ends = np.cumsum([0, *(len(indices) for indices, _, _ in rows)])
    columns, data = (np.concatenate([row[i] for row in rows]) for i in (0, 1))
    X = csr_array((data, columns, ends), shape=(len(rows), served.model.n_features))
    scores = np.array([score for *_, score in rows])
    report = served.drift.compare(X, scores)
    for name, found in [*report.items(), ("scores", report.scores)]:
        if found is not None:
            metrics.unknown.labels(name).set(found.unknown)
            metrics.missing.labels(name).set(found.missing)
            metrics.psi.labels(name).set(found.psi)
            metrics.alarm.labels(name).set(found.is_alarm)


def create_app(path: str, *, poll_seconds: float = 1.0) -> FastAPI:
    """The service for a file."""
    metrics, loss = Metrics(), fastfm_c.LogisticLoss()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.served = load(path)
        metrics.loaded.set_to_current_time()
        task = asyncio.create_task(watch(app))
        yield
        task.cancel()

    async def watch(app: FastAPI) -> None:
        refused = None
        while True:
            await asyncio.sleep(poll_seconds)
            try:
                now = identity_of(path)
                if now in (app.state.served.identity, refused):
                    continue
                refused = now
                app.state.served = await asyncio.to_thread(load, path)
                metrics.loaded.set_to_current_time()
            except (OSError, ValueError, KeyError, TypeError):  # the model of now goes on
                metrics.failures.inc()

    app = FastAPI(title="fastfm_c service", lifespan=lifespan)

    @app.middleware("http")
    async def measure(request: Request, call_next: Any) -> Any:
        begin = time.perf_counter()
        response = await call_next(request)
        known = request.url.path if request.url.path in ("/score", "/batch") else "other"
        metrics.seconds.labels(known).observe(time.perf_counter() - begin)
        return response

    def answer(served: Served, rows: list[Any]) -> list[float]:
        encoded = [row_of(served, row) for row in rows]
        scores = np.array([served.model.predict_row(*row) for row in encoded])
        probabilities = loss.proba(scores)
        probabilities = (probabilities if probabilities.ndim == 1 else probabilities[:, 1]).tolist()
        for row, score, probability in zip(encoded, scores.tolist(), probabilities, strict=True):
            metrics.probability.observe(probability)
            served.window.append((*row, score))
        metrics.rows.inc(len(rows))
        if len(served.window) >= WINDOW_ROWS:
            compare(served, metrics)
        return probabilities

    @app.post("/score")
    async def score(request: Request) -> dict[str, float]:
        return {"probability": answer(app.state.served, [await body_of(request)])[0]}

    @app.post("/batch")
    async def batch(request: Request) -> dict[str, list[float]]:
        rows = await body_of(request)
        if not isinstance(rows, list) or len(rows) > MOST_ROWS:
            raise HTTPException(422, f"the body must be a list of at most {MOST_ROWS} rows")
        return {"probabilities": answer(app.state.served, rows)}

    async def body_of(request: Request) -> Any:
        try:
            return await request.json()
        except (ValueError, RecursionError):
            raise HTTPException(422, "the body is no JSON") from None

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> dict[str, int]:
        return {"n_features": app.state.served.model.n_features}

    @app.get("/metrics")
    async def read_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


if "MODEL" in os.environ:
    app = create_app(os.environ["MODEL"])
