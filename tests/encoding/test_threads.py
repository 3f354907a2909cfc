"""FieldEncoder: threads that encode, read, copy and save while others learn."""

import contextlib
import copy
import pickle
import threading

import numpy as np
import pytest
from helpers.encoders import ROWS, TYPES
from helpers.threads import in_threads

from fastfm_c import FieldEncoder, load, save

USERS = [f"u{i}" for i in range(600)]


def test_threads_that_learn_give_each_value_a_column_of_its_own():
    encoder = FieldEncoder({"user": "categorical", "tags": "multi"})

    def learn(users):
        for user in users:
            encoder.partial_fit([{"user": user, "tags": [user, "x"]}])

    in_threads(*(lambda k=k: learn(USERS[k::4]) for k in range(4)))
    assert encoder.fields_.size == 2 * (1 + len(USERS)) + 1
    X = encoder.transform([{"user": user, "tags": [user]} for user in USERS])
    assert encoder.unknown_counts_ == {"user": 0, "tags": 0}
    assert len(set(X.indices.tolist())) == 2 * len(USERS)
    assert len(set(encoder.get_feature_names_out())) == encoder.fields_.size


READERS = {
    "transform": lambda encoder, path: encoder.transform([{"user": user} for user in USERS]).check_format(),
    "encode_row": lambda encoder, path: [encoder.encode_row({"user": user}) for user in USERS],
    "names": lambda encoder, path: encoder.get_feature_names_out(),
    "attributes": lambda encoder, path: (encoder.fields_, encoder.unknown_counts_, repr(encoder)),
    "pickle": lambda encoder, path: pickle.loads(pickle.dumps(encoder)).get_feature_names_out(),
    "copy": lambda encoder, path: copy.deepcopy(encoder).partial_fit([{"user": "more"}]),
    "save": lambda encoder, path: save(encoder, path),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("writer", ["partial_fit", "fit"])
def test_readers_do_not_fail_beside_a_writer(reader, writer, tmp_path):
    encoder = FieldEncoder().fit([{"user": "first"}])
    done = threading.Event()

    def write():
        try:
            for user in USERS:
                getattr(encoder, writer)([{"user": user}, {"user": user[:2]}])
        finally:
            done.set()

    def read():
        while True:
            READERS[reader](encoder, tmp_path / "encoder")
            if done.is_set():
                return

    in_threads(write, read)
    READERS[reader](encoder, tmp_path / "encoder")
    if reader == "save":
        assert load(tmp_path / "encoder").fields_.size == encoder.fields_.size


def test_a_matrix_that_is_made_while_another_thread_learns_holds_no_column_beyond_its_last():
    """Here a value is learned in the middle of `transform`, after the columns of others were looked up."""
    encoder = FieldEncoder({"a": "categorical", "b": "categorical"}).fit([{"a": "x", "b": "x"}])
    is_first = []

    class Word(str):
        __eq__ = str.__eq__

        def __hash__(self):
            if not is_first:
                is_first.append(True)
                in_threads(lambda: encoder.partial_fit([{"a": "y", "b": "y"}]))
            return str.__hash__(self)

    X = encoder.transform([{"a": "y", "b": Word("y")}])
    assert is_first
    assert X.shape == (1, 6)
    X.check_format()
    assert X.fields.tolist() == [0, 0, 1, 1, 0, 1]


def test_rows_of_several_threads_are_all_counted():
    encoder = FieldEncoder(TYPES).fit(ROWS)
    in_threads(*[lambda: [encoder.encode_row({"word": "new", "id": None}) for _ in range(500)]] * 4)
    assert encoder.unknown_counts_["word"] == encoder.missing_counts_["id"] == 2000
    np.testing.assert_array_equal([*encoder.unknown_counts_.values()][1:], 0)


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
