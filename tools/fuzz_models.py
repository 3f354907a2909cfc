"""Load damaged model files: each must load as something that works, or raise ValueError.

    python tools/fuzz_models.py --count 10000 --seed 0

Files of every kind of object are changed at random, by bytes and by what a header says, and loaded with and
without ``mmap``. What loads is used: models predict, solvers and estimators learn, encoders encode, Pipelines
go through their steps. There scikit-learn may raise what it likes, but none of our code. Run it under
AddressSanitizer to see what no exception tells:

    FASTFM_C_CFLAGS="-fsanitize=address -g -O1" python setup.py -q build --build-lib build/asan
    LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=build/asan \\
        python tools/fuzz_models.py --count 100000
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from fuzz_models_objects import objects, use

import fastfm_c
from fastfm_c.persistence._registry import KINDS

NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    63,
    64,
    1 << 31,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    1 << 64,
    10**30,
    0.5,
    1e300,
    -0.0,
]
VALUES = [None, True, False, "", "F64", "FM", "SGD", "model", [], [0], [1, 2], {}, {"kind": "FM"}, "tensor"]
VALUES += [{"tuple": []}, {"dict": []}, {"type": "numpy.float32"}, {"float": "nan"}, {"array": "numbers"}]


def kinds_in(state):
    """The kinds of all objects in the state of one."""
    if isinstance(state, dict):
        yield from [state["kind"]] if isinstance(state.get("kind"), str) else []
    for part in state.values() if isinstance(state, dict) else state if isinstance(state, list) else ():
        yield from kinds_in(part)


def files_of_all_kinds(path):
    """The bytes of a file of each object."""
    files, kinds = [], set()
    for obj in objects():
        fastfm_c.save(obj, path)
        use(fastfm_c.load(path, mmap=False))
        files.append(path.read_bytes())
        header = json.loads(files[-1][8 : 8 + int.from_bytes(files[-1][:8], "little")])
        kinds.update(kinds_in(json.loads(header["__metadata__"]["object"])))
    missing = {name for name in KINDS if name not in kinds and _is_there(name)}
    if missing:
        raise SystemExit(f"fuzz_models.py: no object of {', '.join(sorted(missing))}")
    return files


def _is_there(name):
    """Whether this scikit-learn has the class."""
    try:
        return bool(KINDS[name].class_named(name))
    except AttributeError:
        return False


def damaged(rng, data):
    """The bytes of a file with one or two changes."""
    for _ in range(rng.integers(1, 3)):
        data = CHANGES[rng.integers(len(CHANGES))](rng, data)
    return data


def _flip_header(rng, data):
    end = min(len(data), 8 + int.from_bytes(data[:8], "little"))
    return _flip(rng, data, 0, end)


def _flip_tensors(rng, data):
    return _flip(rng, data, min(len(data), 8 + int.from_bytes(data[:8], "little")), len(data))


def _flip(rng, data, begin, end):
    """Other bits at one to four places."""
    changed = bytearray(data)
    for place in rng.integers(begin, end, rng.integers(1, 5)) if begin < end else ():
        changed[place] ^= 1 << rng.integers(8)
    return bytes(changed)


def _cut(rng, data):
    return data[: rng.integers(len(data) + 1)]


def _splice(rng, data):
    """A piece of the file over, into or out of another place."""
    begin, to = rng.integers(0, len(data) + 1, 2)
    piece = data[begin : begin + rng.integers(0, 40)]
    return data[:to] + piece + data[to + rng.choice([0, len(piece), 5]) :]


def _length(rng, data):
    number = int(rng.choice([0, 1, 7, len(data) - 8, len(data), 10**8, 2**31, 2**62])) + int(
        rng.integers(-2, 3)
    )
    return (number % 2**64).to_bytes(8, "little") + data[8:]


def _header(rng, data):
    """Another value, or none, at one place of the header, or of the object in its metadata."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        if rng.random() < 0.6:
            state = json.loads(header["__metadata__"]["object"])
            _change(rng, state)
            header["__metadata__"]["object"] = json.dumps(state)
        else:
            _change(rng, header)
        text = json.dumps(header).encode()
    except (ValueError, TypeError, LookupError, RecursionError):  # damaged before
        return data
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _change(rng, tree):
    places = [*_places(tree)]
    if not places:
        return
    node, key = places[rng.integers(len(places))]
    what, value = rng.integers(5), node[key]
    if what == 0:
        del node[key]
    elif what == 1 and isinstance(node, dict):
        node[f"{key}x"] = node.pop(key)
    elif what == 2 and type(value) in (int, float):
        node[key] = value + int(rng.integers(-2, 3))
    elif what == 3:
        other, place = places[rng.integers(len(places))]
        node[key] = json.loads(json.dumps(other[place])) if place in other or type(other) is list else None
    else:
        node[key] = (NUMBERS + VALUES)[rng.integers(len(NUMBERS) + len(VALUES))]


def _places(tree):
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


CHANGES = [_flip_header, _flip_tensors, _flip_tensors, _cut, _splice, _length, *[_header] * 4]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    np.seterr(all="ignore")
    outcomes = collections.Counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        path = Path(folder, "model")
        files = files_of_all_kinds(path)
        warnings.simplefilter("ignore")  # of another version of scikit-learn, for one
        for i in range(options.count):
            rng = np.random.default_rng([options.seed, i])
            data = damaged(rng, files[rng.integers(len(files))])
            path.unlink()  # its mapping may live on
            path.write_bytes(data)
            outcomes.update(_outcome(path, i, mmap) for mmap in (True, False))
    print(f"{options.count} files:", ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items())))


def _outcome(path, i, mmap):
    try:
        obj = fastfm_c.load(path, mmap)
    except ValueError:
        return "refused"
    except BaseException:
        print(f"file {i}, mmap={mmap}, while loading:")
        raise
    try:
        use(obj)
    except (ValueError, fastfm_c.DivergenceError):
        return "loaded, refused to be used"
    except BaseException:
        print(f"file {i}, mmap={mmap}, in use:")
        raise
    return "loaded and used"


if __name__ == "__main__":
    main()
