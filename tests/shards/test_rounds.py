"""Validation, early stopping, progress, checkpoints."""

import numpy as np
import pytest
from helpers.shards import bits, ffm, fm, rows, split

from fastfm_c import LogisticLoss, load, save
from fastfm_c.distributed import fit_encoder, train
from fastfm_c.encoding import FieldEncoder

LOSS = LogisticLoss()


def test_validation_is_that_of_all_rows_at_once():
    X, y = rows()
    held_out = rows(1)
    weight = np.random.default_rng(0).gamma(1.0, size=len(y))
    seen = []

    def see(info):
        scores = info.model.predict(held_out[0]).astype(float)
        seen.append((info.epoch, info.validation, LOSS.mean(held_out[1], scores, weight)))

    shards = split(*held_out, 0, 10, weight=weight)
    history = train(fm(), split(X, y, 100), LOSS, eval_set=shards, max_iter=3, callbacks=see)
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3]
    np.testing.assert_allclose([v for _, v, _ in seen], [e for _, _, e in seen], rtol=1e-12)
    assert history.metric == "loss"
    assert history.stop_reason == "max_iter"


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_early_stopping_restores_the_best_round(solver):
    X, y = rows()
    _, noise = rows(7)
    options = {"learning_rate": 0.5} if solver == "adagrad" else {}
    best = {}
    model = fm()
    history = train(
        model, split(X, noise, 100), LOSS, eval_set=[(X, y)], early_stopping="auc", n_iter_no_change=2,
        solver=solver, max_iter=100, callbacks=lambda info: best.update({info.epoch: bits(info.model)}),
        **options,
    )  # fmt: skip
    assert history.stop_reason == "early_stopping"
    assert bits(model) == best[history.best_epoch]


def test_a_callback_ends_the_training():
    history = train(fm(), [rows()], LOSS, max_iter=9, callbacks=lambda info: info.epoch == 2)
    assert (history.n_iter, history.stop_reason) == (2, "callback")


class Killed(Exception):
    pass


def killed_after(n_rounds):
    def callback(info):
        if info.epoch == n_rounds:
            raise Killed

    return callback


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("make", [fm, ffm])
@pytest.mark.parametrize("every", [1, 2])
def test_a_resumed_training_has_the_bits_of_one_that_was_not_interrupted(tmp_path, solver, make, every):
    X, y = rows(values="gamma")
    options = {"solver": solver, "max_iter": 7, "checkpoint_every": every, "resume": True, "rng": 4}
    options |= {"eval_set": [rows(3)], "early_stopping": True, "n_iter_no_change": 4}
    models = [make(), make(), make()]
    whole = train(models[0], split(X, y, 100), LOSS, checkpoint=tmp_path / "a", **options)
    for n_rounds in (3, 5):  # a process that ends in the middle of a round, twice
        with pytest.raises(Killed):
            train(
                make(),
                split(X, y, 100),
                LOSS,
                checkpoint=tmp_path / "b",
                callbacks=killed_after(n_rounds),
                **options,
            )
    resumed = train(models[2], split(X, y, 100), LOSS, checkpoint=tmp_path / "b", **options)
    assert bits(models[2]) == bits(models[0])
    assert (resumed.loss, resumed.validation) == (whole.loss, whole.validation)
    assert (resumed.best_epoch, resumed.stop_reason) == (whole.best_epoch, whole.stop_reason)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    X, y = rows()
    path = tmp_path / "training"
    train(fm(), [(X, y)], LOSS, max_iter=1, checkpoint=path)
    for model, options in ((ffm(), {}), (fm(dtype="float64"), {}), (fm(), {"solver": "lbfgs"})):
        with pytest.raises(ValueError, match="training"):
            train(model, [(X, y)], LOSS, checkpoint=path, resume=True, **options)
    save(fm(), path)
    with pytest.raises(ValueError, match="no checkpoint"):
        train(fm(), [(X, y)], LOSS, checkpoint=path, resume=True)
    path.write_bytes(b"no file of ours")
    with pytest.raises(ValueError, match="training"):
        train(fm(), [(X, y)], LOSS, checkpoint=path, resume=True)


def test_a_checkpoint_is_a_file_like_others(tmp_path):
    path = tmp_path / "training"
    train(
        fm(),
        [rows()],
        LOSS,
        max_iter=2,
        checkpoint=path,
        checkpoint_every=2,
        eval_set=[rows(1)],
        early_stopping=True,
    )
    found = load(path)
    assert (found.solver, len(found.figures["loss"])) == ("adagrad", 2)
    save(found, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda found: setattr(found, "best", ffm()), "the best model"),
        (lambda found: found.arrays.update({"G.w": -found.arrays["G.w"]}), "above 0"),
        (lambda found: found.arrays.update({"G.w": found.arrays["G.w"][1:]}), "training is of"),
        (lambda found: found.arrays.pop("G.V"), "training is of"),
        (lambda found: found.figures["monitor"].pop(), "'monitor'"),
        (lambda found: found.figures.update(monitor=[0.0, 0.0, np.inf, 0.0, 0.0]), "'monitor'"),
        (lambda found: found.figures.update(loss=[[0.0]]), "'loss'"),
    ],
)
def test_a_checkpoint_that_no_training_wrote_is_refused(tmp_path, change, match):
    path = tmp_path / "training"
    options = {"eval_set": [rows(1)], "early_stopping": True, "checkpoint": path}
    train(fm(), [rows()], LOSS, max_iter=2, **options)
    found = load(path, mmap=False)
    change(found)
    save(found, path)
    model = fm()
    with pytest.raises(ValueError, match=match):
        train(model, [rows()], LOSS, max_iter=4, resume=True, **options)
    assert bits(model) == bits(fm())


TABLES = [
    [],
    [{"a": "x", "n": None, "m": ["p", "q"]}, {"a": "y", "n": None, "m": []}],
    [{"a": "z", "n": 2.0, "m": ["r"]}, {"a": "z", "n": 4.0, "m": ["p", "r"]}],
    [],
    [{"a": "y", "n": 9.0, "m": ["s"]}, {"a": "v", "n": 1.0, "m": ["s"]}, {"a": "u", "n": 1.0, "m": []}],
    [{"a": "v", "n": 1.0, "m": ["t"]}, {"a": "w", "n": 1.0, "m": ["t"]}, {"a": "w", "n": 1.0, "m": ["t"]}],
]


@pytest.mark.parametrize("options", [{}, {"min_count": 2}, {"min_count": 2, "max_categories": 2}])
@pytest.mark.parametrize("ways", [map, lambda function, tables: list(map(function, list(tables)))])
def test_fit_encoder_is_partial_fit_of_one_table_after_the_other(options, ways):
    columns = {"a": "categorical", "n": "numeric", "m": "multi"}
    expected, found = (FieldEncoder(columns, **options) for _ in range(2))
    for table in TABLES:
        if table:
            expected.partial_fit(table)
    tables = [table if i % 2 else (lambda table=table: table) for i, table in enumerate(TABLES)]
    assert fit_encoder(found, tables, map=ways) is found
    assert found.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()
    everything = [row for table in TABLES for row in table]
    X, Y = found.transform(everything), expected.transform(everything)
    assert (X != Y).nnz == 0
    found.partial_fit([{"a": "u", "n": 0.0, "m": ["r"]}])
    expected.partial_fit([{"a": "u", "n": 0.0, "m": ["r"]}])
    assert found.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()


def test_tables_without_rows_are_refused():
    with pytest.raises(ValueError, match="none of the tables has rows"):
        fit_encoder(FieldEncoder(), [[], []])
