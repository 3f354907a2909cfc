"""An encoder, a model and a solver that grow together, online."""

import numpy as np
import pytest

from fastfm_c import FFM, FM, AdaGrad, FieldEncoder, LogisticLoss, load, save


def day(rng, n_users):
    rows = [{"user": f"u{rng.integers(n_users)}", "site": str(rng.choice(["a", "b"]))} for _ in range(200)]
    return rows, np.array([(int(r["user"][1:]) + (r["site"] == "a")) % 2 for r in rows])


@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_days_with_new_users(kind, tmp_path):
    """What is known stays the same bits; what is new is learned; a restart in between changes nothing."""
    rng = np.random.default_rng(0)
    rows, y = day(rng, 5)
    encoder = FieldEncoder().fit(rows)
    model = (
        FM.random(len(encoder.fields_), 2, rng=0) if kind == "FM" else FFM.random(encoder.fields_, 2, rng=0)
    )
    solver = AdaGrad(model, LogisticLoss(), learning_rate=0.5, batch_size=16)
    for n_users in (10, 20):
        before = encoder.transform(rows)
        for _ in range(10):
            loss = solver.partial_fit(encoder.transform(rows), y)
        new_rows, new_y = day(rng, n_users)
        scores, n_before = model.predict(before), model.n_features
        encoder.partial_fit(new_rows)
        fields = () if kind == "FM" else (encoder.fields_,)
        solver.resize(len(encoder.fields_), *fields, rng=0)
        assert model.n_features > n_before
        np.testing.assert_array_equal(model.predict(encoder.transform(rows)), scores)
        save({"encoder": encoder, "solver": solver}, tmp_path / "state")
        state = load(tmp_path / "state")
        encoder, solver = state["encoder"], state["solver"]
        model, rows, y = solver.model, new_rows, new_y
    for _ in range(20):
        loss = solver.partial_fit(encoder.transform(rows), y)
    assert loss < 0.1
    assert not any(encoder.unknown_counts_.values())
    X = encoder.transform(rows)
    for i in range(3):
        assert model.predict_row(*encoder.encode_row(rows[i])) == model.predict(X)[i]
