"""Files of every version that was ever written still load, as what they were then."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.version_files import DATA, OBJECTS, ROWS, X, Y

from fastfm_c import FFM, FM, FieldEncoder, load
from fastfm_c.persistence._files import _SCHEMA_VERSION

FILES = sorted(DATA.glob("v*.safetensors"))
TOLERANCE = 1e-5  # relative; training calls exp and log1p of the platform


def require_equal(found, expected):
    """What the objects were made to hold, and what they do next."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            require_equal(found[name], expected[name])
    elif isinstance(expected, FM | FFM):
        for name in ("w0", "w", "V"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(expected, name), rtol=TOLERANCE, atol=1e-6
            )
        assert repr(found) == repr(expected)
    elif isinstance(expected, FieldEncoder):
        assert found.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()
        for encoder in (found, expected):
            encoder.partial_fit([{**ROWS[0], "site": "c"}])
        np.testing.assert_array_equal(found.transform(ROWS).toarray(), expected.transform(ROWS).toarray())
    elif hasattr(expected, "get_params"):
        assert str(found.get_params().keys()) == str(expected.get_params().keys())
        require_equal(found.model_, expected.model_)
        np.testing.assert_allclose(found.history_.loss, expected.history_.loss, rtol=TOLERANCE)
        assert np.array_equal(getattr(found, "classes_", None), getattr(expected, "classes_", None))
        if hasattr(expected, "solver_"):
            require_equal(found.solver_, expected.solver_)
    else:
        assert repr(found) == repr(expected)
        losses = [solver.partial_fit(X, Y) for solver in (found, expected)]
        np.testing.assert_allclose(*losses, rtol=TOLERANCE)
        require_equal(found.model, expected.model)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_of_a_version(path, mmap):
    name = path.stem.partition("_")[2]
    require_equal(load(path, mmap), OBJECTS[name]())


def test_this_version_has_its_files():
    expected = {f"v{_SCHEMA_VERSION}_{name}.safetensors" for name in OBJECTS}
    assert expected <= {path.name for path in FILES}
