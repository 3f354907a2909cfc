"""The examples for Ray and Spark, where these are installed."""

import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.shards import bits, fm, rows, split

import fastfm_c
from fastfm_c import FM, FieldEncoder, LogisticLoss
from fastfm_c.distributed import train

SHARDS = Path(__file__).parents[2] / "examples" / "shards"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARDS.is_dir(), reason="no examples/ here"),
    pytest.mark.filterwarnings("ignore"),  # of the engines, about themselves
]


def module(name):
    spec = importlib.util.spec_from_file_location(name, SHARDS / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_ray_gives_the_bits_of_one_process(tmp_path):
    """Also where a worker is killed in the middle of a round, once."""
    ray = pytest.importorskip("ray")
    shards, marker = split(*rows(), 0, 1, 100, 200), tmp_path / "killed"
    models = [fm() for _ in range(3)]
    options = {"max_iter": 3, "learning_rate": 0.3, "eval_set": shards[3:]}
    train(models[0], shards, LogisticLoss(), **options)

    def read(part, is_killed):
        if is_killed and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return part

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        on_ray = module("on_ray")
        task = ray.remote(max_retries=3)(read)
        options["eval_set"] = [task.remote(part, False) for part in shards[3:]]
        for model, victim in zip(models[1:], (None, 2), strict=True):
            parts = [task.remote(part, i == victim) for i, part in enumerate(shards)]
            on_ray.train(model, parts, LogisticLoss(), **options)
    finally:
        ray.shutdown()
    assert marker.exists()
    assert len({bits(model) for model in models}) == 1


def test_spark_scores_as_the_model_does(tmp_path, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    pytest.importorskip("pyarrow")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)  # else it takes the python3 of PATH
    pd = pytest.importorskip("pandas")
    if shutil.which("java") is None:
        pytest.skip("no JVM")
    table = pd.DataFrame({"a": [str(i % 7) for i in range(50)], "b": [i % 3 for i in range(50)]})
    encoder = FieldEncoder({"a": "categorical", "b": "categorical"}).fit(table)
    model = FM.random(len(encoder.fields_), 2, init_stdev=0.5, rng=0)
    fastfm_c.save({"encoder": encoder, "model": model}, tmp_path / "shop")
    spark = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", False).getOrCreate()
    try:
        scored = module("on_spark").scores_of(spark.createDataFrame(table), str(tmp_path / "shop")).toPandas()
    finally:
        spark.stop()
    expected = model.predict(encoder.transform(scored[["a", "b"]]))
    np.testing.assert_allclose(scored["score"], expected.astype(float), rtol=0)
