"""What happens to files: replaced whole or not at all, and shared between processes."""

import os
import stat
import sys

import numpy as np
import pytest
from helpers.subprocesses import output_of

from fastfm_c import FM, load, save

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@POSIX
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions(path, mask):
    before = os.umask(mask)
    try:
        save(FM.random(2, 1), path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
        path.chmod(0o640)
        save(FM.random(2, 1), path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


@POSIX
def test_a_link_stays_a_link(path):
    real = path.with_name("real")
    path.symlink_to(real)
    for seed in range(2):
        save(FM.random(2, 1, rng=seed), path)
        assert path.is_symlink()
        assert load(real) == load(path) == FM.random(2, 1, rng=seed)


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_an_error_leaves_the_old_file(path, monkeypatch, step):
    old = FM.random(2, 1, rng=0)
    save(old, path)

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fastfm_c.persistence._safetensors.write" if step == "write" else f"os.{step}", fail)
    with pytest.raises(OSError, match="No space left"):
        save(FM.random(2, 1, rng=1), path)
    assert [*path.parent.iterdir()] == [path]
    assert load(path) == old


FULL = """
import os, resource, signal, sys
import fastfm_c
path = sys.argv[1]
fastfm_c.save(fastfm_c.FM.random(10, 1, rng=0), path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    fastfm_c.save(fastfm_c.FM.random(100_000, 4), path)
except OSError as error:
    print(type(error).__name__, os.listdir(os.path.dirname(path)))
print(fastfm_c.load(path) == fastfm_c.FM.random(10, 1, rng=0))
"""


@POSIX
def test_no_more_room(path):
    assert output_of(FULL, path).splitlines() == ["OSError ['file']", "True"]


def test_an_interrupt_leaves_nothing_behind(path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(FM.random(2, 1), path)
    assert [*path.parent.iterdir()] == []


@POSIX
def test_a_mapped_file_can_be_replaced(path):
    first, second = FM.random(1000, 4, rng=0), FM.random(1000, 4, rng=1)
    save(first, path)
    mapped = load(path)
    save(second, path)
    assert mapped == first
    path.write_bytes(b"")
    path.unlink()
    assert mapped == first


# Each child saves until it is killed, over a file that is there. Its models tell by each number which one
# they are. At some of the kills a temporary file is left: those came in the middle.
KILLS = """
import os, random, signal, sys, time
import numpy as np
import fastfm_c
path, n_kills = sys.argv[1], int(sys.argv[2])
models = [fastfm_c.FM(i, np.full(50_000, i), np.full((50_000, 4), i, "float32")) for i in range(4)]
fastfm_c.save(models[0], path)
random.seed(0)
for kill in range(n_kills):
    begun, begin = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(begin, b"x")
        while True:
            for model in models:
                fastfm_c.save(model, path)
    os.read(begun, 1)
    time.sleep(random.random() * 0.03)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for mmap in (True, False):
        loaded = fastfm_c.load(path, mmap)
        assert loaded == models[int(loaded.w0)], kill
    os.close(begun), os.close(begin)
left = [name for name in os.listdir(os.path.dirname(path)) if name != os.path.basename(path)]
assert all(name.startswith("fastfm_c-") and name.endswith(".tmp") for name in left), left
print(len(left))
"""


@needs_fork
@pytest.mark.parametrize("n_kills", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_killed_while_saving(path, n_kills):
    n_left = int(output_of(KILLS, path, n_kills))
    assert 0 < n_left <= n_kills


SHARE = """
import os, sys
import numpy as np
import fastfm_c
path, mmap = sys.argv[1], sys.argv[2] == "True"

def shares():  # of this process in memory, in MB
    with open("/proc/self/smaps_rollup") as file:
        sizes = dict(line.split()[:2] for line in file.read().splitlines()[1:])
    return int(sizes["Pss:"]) / 1024

gates = os.pipe(), os.pipe()  # open when the parent closes its ends
readers = []
for _ in range(4):
    out, into = os.pipe()
    if os.fork() == 0:
        for _, end in gates:
            os.close(end)
        before = shares()
        model = fastfm_c.load(path, mmap)
        model.V.sum(), model.w.sum()
        os.write(into, b"x")
        os.read(gates[0][0], 1)
        os.write(into, f"{shares() - before:.3f} ".encode())
        os.read(gates[1][0], 1)
        os._exit(0)
    os.close(into)
    readers.append(out)
print(all(os.read(out, 1) == b"x" for out in readers))
os.close(gates[0][1])
print(sum(float(os.read(out, 99)) for out in readers))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_processes_share_a_mapped_file(path):
    model = FM(0, np.ones(1 << 20), np.ones((1 << 20, 8), "float32"))
    save(model, path)
    megabytes = model.nbytes / 2**20
    shared, copied = (float(output_of(SHARE, path, mmap).split()[1]) for mmap in (True, False))
    assert shared < 1.3 * megabytes
    assert copied > 3.5 * megabytes


# --------------------------------------------------------------------------------------------- paths


@pytest.mark.parametrize("name", ["", ".", "..", "new/", "new/.", "there/"])
def test_paths_that_name_no_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(IsADirectoryError, match="path names no file"):
        save(FM.random(2, 1), name)
    assert os.listdir() == ["there"]


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "link"])
def test_what_is_no_regular_file_stays(path, kind):
    if kind == "device":
        path = os.devnull
    elif kind == "fifo" and hasattr(os, "mkfifo"):
        os.mkfifo(path)
    else:
        (path.with_name("real") if kind == "link" else path).mkdir()
        if kind == "link":
            path.symlink_to(path.with_name("real"), target_is_directory=True)
    before = os.lstat(path)
    with pytest.raises(OSError, match="path is there and no regular file"):
        save(FM.random(2, 1), path)
    assert os.lstat(path) == before


def test_names_of_any_length_and_type(path):
    model = FM.random(2, 1, rng=0)
    for name in ("n" * 240, "n" * 255):
        save(model, path.with_name(name))
        assert load(path.with_name(name)) == model
    name = os.fsencode(path.with_name("bytes"))
    save(model, name)
    assert load(name) == load(path.with_name("bytes")) == model
    with open(name, "wb"), pytest.raises(ValueError, match=r"^\S*bytes: the file has 0 bytes"):
        load(name)
