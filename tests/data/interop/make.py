"""Makes the model and prediction files of this folder with the real programs; see README.md.

python make.py <libffm, SSE build> <libffm, scalar build> <xlearn/build> <libfm/bin> <folder to write to>
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

N_FEATURES, N_FIELDS, NEVER = 60, 5, (7, 23)  # field of feature j: j % N_FIELDS; NEVER: not in training


def random_rows(rng, n_rows, never):
    """Rows as lists of (feature, value): in each field one feature with value 1, or some with real values."""
    for _ in range(n_rows):
        row = []
        for field in range(N_FIELDS):
            features = np.setdiff1d(np.arange(field, N_FEATURES, N_FIELDS), never)
            if field < 3:
                row.append((rng.choice(features), 1.0))
            else:
                chosen = np.sort(rng.choice(features, rng.integers(0, 4), replace=False))
                row += [(j, round(rng.normal(), 3)) for j in chosen]
        yield sorted(row)


def write_rows(path, rows, y, token):
    lines = [
        " ".join([f"{target:.6g}", *(token(j, v) for j, v in row)])
        for row, target in zip(rows, y, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")


def write_data(folder):
    rng = np.random.default_rng(20)
    train = list(random_rows(rng, 300, NEVER))
    train[0] = sorted([*train[0], (N_FEATURES - 1, 1.5)])  # so that every program counts N_FEATURES
    test = list(random_rows(rng, 20, ()))
    test += [[(4, 0.5)], [(7, 1.0)], [(0, 1.0), (5, 2.0)], [(1, 100.0), (7, -3.0), (23, 0.01), (59, 2.0)]]
    effect = rng.normal(size=N_FEATURES)
    for name, rows in ("train", train), ("test", test):
        score = np.array([sum(effect[j] * v for j, v in row) for row in rows])
        score += rng.normal(size=len(rows))
        for task, y in ("binary", score > 0), ("real", 0.5 + score / 20):
            write_rows(folder / f"{name}_{task}.ffm", rows, y, lambda j, v: f"{j % N_FIELDS}:{j}:{v:g}")
            write_rows(folder / f"{name}_{task}.libsvm", rows, y, lambda j, v: f"{j}:{v:g}")


def run(folder, command):
    environment = os.environ | {"USER": "user"}  # xLearn needs one
    subprocess.run(command.split(), cwd=folder, check=True, env=environment, stdout=subprocess.DEVNULL)


def libffm(data, build, name, options):
    run(data, f"{build}/ffm-train -t 8 {options} train_binary.ffm {name}.bin")
    run(data, f"{build}/ffm-predict test_binary.ffm {name}.bin {name}.out")


def xlearn(data, build, name, rows, options, norm=""):
    common = f"-nthread 1 -l {data}/log {norm}"
    run(data, f"{build}/xlearn_train train_{rows} {options} -e 8 --dis-es -m model -t {name}.txt {common}")
    link = "--sigmoid" if rows.startswith("binary") else ""
    run(data, f"{build}/xlearn_predict test_{rows} model -o {name}.out {common} {link}")


def libfm(data, build, name, rows, options):
    options += f" -seed 1 -regular 0.01 -train train_{rows} -test test_{rows}"
    run(data, f"{build}/libFM {options} -iter 20 -save_model {name}.libfm -out {name}.out")
    if "sgd" in options:  # without an iteration: what the program predicts from the digits it has written
        run(data, f"{build}/libFM {options} -iter 0 -load_model {name}.libfm -out {name}.out")


def main(sse, scalar, xlearn_build, libfm_build, out):
    with tempfile.TemporaryDirectory() as data:
        write_data(Path(data))
        libffm(data, sse, "libffm_sse_k3", "-k 3")
        libffm(data, sse, "libffm_sse_k4", "-k 4")
        libffm(data, sse, "libffm_sse_k3_no_norm", "-k 3 --no-norm")
        libffm(data, scalar, "libffm_scalar_k3", "-k 3")
        libffm(data, scalar, "libffm_scalar_k4", "-k 4")
        libffm(data, scalar, "libffm_scalar_k4_no_norm", "-k 4 --no-norm")
        xlearn(data, xlearn_build, "xlearn_fm_k3", "binary.libsvm", "-s 1 -k 3")
        xlearn(data, xlearn_build, "xlearn_fm_k4_no_norm", "binary.libsvm", "-s 1 -k 4", "--no-norm")
        xlearn(data, xlearn_build, "xlearn_fm_real", "real.libsvm", "-s 4 -k 2")
        xlearn(data, xlearn_build, "xlearn_ffm_k3", "binary.ffm", "-s 2 -k 3")
        xlearn(data, xlearn_build, "xlearn_ffm_k4_no_norm", "binary.ffm", "-s 2 -k 4", "--no-norm")
        xlearn(data, xlearn_build, "xlearn_linear", "binary.libsvm", "-s 0")
        libfm(
            data, libfm_build, "libfm_real", "real.libsvm", "-task r -method sgd -learn_rate 0.01 -dim 1,1,3"
        )
        classes = "-task c -method sgd -learn_rate 0.01"
        libfm(data, libfm_build, "libfm_binary", "binary.libsvm", f"{classes} -dim 1,1,4")
        libfm(data, libfm_build, "libfm_no_bias", "binary.libsvm", f"{classes} -dim 0,1,2")
        libfm(data, libfm_build, "libfm_no_linear", "binary.libsvm", f"{classes} -dim 1,0,2")
        libfm(data, libfm_build, "libfm_no_factors", "binary.libsvm", f"{classes} -dim 1,1,0")
        libfm(data, libfm_build, "libfm_probit", "binary.libsvm", "-task c -method als -dim 1,1,2")
        for kind in "lib*.bin", "*.txt", "*.libfm", "*.out":
            for path in Path(data).glob(kind):
                shutil.copy(path, out)
        shutil.copy(Path(data, "test_binary.ffm"), out / "test.ffm")


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
