"""The README's examples run, and its commands are where .ci/run looks for them."""

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_examples_run():
    prediction, *training = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(prediction, names)
    assert names["scores"].shape == (1000,)
    assert names["one"] == names["fm"].predict_row(*_first_row(names["X"]))
    assert names["one"] == names["scores"][0]
    names = {}
    for example in training:
        exec(example, names)
    assert names["accuracy"] == names["best"] == 1
    assert names["loss"] < 0.01


def test_there_are_two_commands():
    assert len(re.findall(r"```sh\n.+\n```", README)) == 2


def _first_row(X):
    return X.indices[: X.indptr[1]], X.data[: X.indptr[1]]
