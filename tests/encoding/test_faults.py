"""Faults of the encoder: constant columns, and threads."""

import contextlib
import pickle
import threading

import numpy as np
import pytest
from helpers.threads import in_threads

from fastfm_c import FieldEncoder, load, save


@pytest.mark.parametrize("constant", [0.0, 3.0, 0.1, -1e6])
def test_a_numeric_column_that_was_constant_at_fit_is_zero_ever_after(constant, tmp_path):
    """As the docstring of Numeric says, and after saving, too."""
    encoder = FieldEncoder().fit([{"u": user, "fee": constant} for user in "abc"])
    save(encoder, tmp_path / "encoder")
    for each in (encoder, load(tmp_path / "encoder"), pickle.loads(pickle.dumps(encoder))):
        for fee in (constant, 5000.0, constant + 1):
            row = {"u": "a", "fee": fee}
            assert each.transform([row]).toarray().tolist() == [[0, 1, 0, 0, 0, 0]]
            columns, values = each.encode_row(row)
            assert dict(zip(columns.tolist(), values.tolist(), strict=True)).get(5, 0.0) == 0.0


def test_a_numeric_column_that_was_constant_at_fit_changes_no_probability():
    pytest.importorskip("sklearn")
    from fastfm_c.sklearn import FMClassifier

    rng = np.random.default_rng(0)
    rows = [{"u": u, "i": i, "fee": 0.0} for u, i in rng.choice(list("abcd"), (400, 2)).tolist()]
    encoder = FieldEncoder()
    X, y = encoder.fit_transform(rows), [row["u"] == row["i"] for row in rows]
    model = FMClassifier(random_state=0).fit(X, y)
    before = model.predict_proba(X)
    after = model.predict_proba(encoder.transform([row | {"fee": 5000.0} for row in rows]))
    np.testing.assert_array_equal(after, before)


def meet(barrier):
    """Wait for the other thread, or a second where a lock keeps it away."""
    with contextlib.suppress(threading.BrokenBarrierError):
        barrier.wait(1.0)


def test_two_threads_in_partial_fit_give_each_value_a_column_of_its_own():
    """They would meet where they look up their first value, if the encoder had no lock."""
    barrier, come = threading.Barrier(2), set()

    class User(str):
        __eq__ = str.__eq__

        def __hash__(self):
            if threading.get_ident() not in come:
                come.add(threading.get_ident())
                meet(barrier)
            return str.__hash__(self)

    encoder = FieldEncoder().fit([{"user": "first"}])
    tables = [[{"user": User(f"{name}{i}")} for i in range(50)] for name in "ab"]
    in_threads(*(lambda table=table: encoder.partial_fit(table) for table in tables))
    users = ["first"] + [f"{name}{i}" for name in "ab" for i in range(50)]
    columns = encoder.transform([{"user": user} for user in users]).indices
    known = columns[columns > 0].tolist()
    assert len(known) == 101
    assert sorted(known) == list(range(1, encoder.fields_.size))


def test_names_can_be_read_beside_a_thread_in_partial_fit():
    """Here the other thread adds a value where a name is made."""
    barrier, read = threading.Barrier(2), []

    class Column(str):
        def __format__(self, spec):
            for _ in range(2):
                meet(barrier)
            return str.__format__(self, spec)

    def write():
        meet(barrier)
        encoder.partial_fit([{"user": "c"}])
        meet(barrier)
        barrier.abort()

    encoder = FieldEncoder().fit([{Column("user"): user} for user in "ab"])
    in_threads(write, lambda: read.append(encoder.get_feature_names_out().tolist()))
    names = ["user=<unknown>", "user=a", "user=b", "user=c"]
    assert read in ([names[:3]], [names])
    assert encoder.get_feature_names_out().tolist() == names
