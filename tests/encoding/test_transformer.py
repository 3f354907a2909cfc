"""FieldEncoder as scikit-learn's transformer: what the core's lacks, and what both say."""

import pickle
import warnings

import pytest

pytest.importorskip("sklearn")

import sklearn
from helpers.subprocesses import output_of
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted

import fastfm_c
from fastfm_c import load, save
from fastfm_c.encoding import Categorical, Date, Numeric
from fastfm_c.sklearn import FFMClassifier, FieldEncoder

ROWS = [{"c": c, "x": x, "t": "2026-01-0" + str(x)} for c, x in (("a", 1), ("b", 2), (None, 5), (7, 1))]
CORE_AND_SKLEARN = pytest.mark.parametrize("create", [fastfm_c.FieldEncoder, FieldEncoder])


def checks(create):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one that the core's has no base class of scikit-learn
        found = list(estimator_checks_generator(create()))
    names = [getattr(check, "func", check).__name__ for _, check in found]
    params = [
        pytest.param(*pair, id=f"{create.__module__}: {n}") for pair, n in zip(found, names, strict=True)
    ]
    return [p for p, n in zip(params, names, strict=True) if n != "check_array_api_input"]  # it takes tables


@pytest.mark.filterwarnings("ignore")  # the checks give warnings of their own
@pytest.mark.parametrize(("encoder", "check"), [*checks(fastfm_c.FieldEncoder), *checks(FieldEncoder)])
def test_scikit_learn_has_nothing_to_say_against_it(encoder, check):
    check(encoder)


def fitted(create=FieldEncoder):
    columns = {"c": Categorical(missing="own"), "x": Numeric(bins=2), "t": Date(["weekday", "age"])}
    return create(columns, min_count=1).fit(ROWS)


def test_it_is_the_core_with_scikit_learns_base_classes():
    encoder = fitted()
    assert isinstance(encoder, (BaseEstimator, TransformerMixin, fastfm_c.FieldEncoder))
    core = fitted(fastfm_c.FieldEncoder)
    assert (encoder.transform(ROWS) != core.transform(ROWS)).nnz == 0
    assert encoder.transform(ROWS).fields.tolist() == core.fields_.tolist()
    assert clone(encoder).get_params() == core.get_params()
    assert "FieldEncoder" in encoder._repr_html_()
    assert repr(FieldEncoder(["a"], rest="auto")) == "FieldEncoder(columns=['a'], rest='auto')"


@CORE_AND_SKLEARN
def test_what_is_not_fitted_says_so_in_scikit_learns_error(create):
    calls = [
        lambda encoder: encoder.transform(ROWS),
        lambda encoder: encoder.encode_row(ROWS[0]),
        lambda encoder: encoder.get_feature_names_out(),
        check_is_fitted,
    ]
    for call in calls:
        with pytest.raises(NotFittedError):
            call(create())
    check_is_fitted(create().fit(ROWS))
    for name in ("fields_", "feature_names_in_", "n_features_in_", "unknown_counts_", "missing_counts_"):
        with pytest.raises(AttributeError, match=f"{name} is there after fit"):
            getattr(create(), name)


def test_without_scikit_learn_the_error_is_a_value_error():
    program = """
import sys
sys.modules["sklearn"] = None
from fastfm_c import FieldEncoder
try:
    FieldEncoder().transform([{}])
except ValueError as error:
    print(type(error).__name__, error)
"""
    assert output_of(program).strip() == "ValueError this FieldEncoder is not fitted yet: call fit"


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_an_output_that_would_lose_the_fields_is_refused_with_a_way_out(container):
    message = rf"a frame of {container} does not: call set_output\(transform='default'\).*from_spmatrix"
    pipe = make_pipeline(fitted()).set_output(transform=container)
    for encode in (pipe.transform, pipe.fit_transform):
        with pytest.raises(ValueError, match=message):
            encode(ROWS)
    with sklearn.config_context(transform_output=container):
        with pytest.raises(ValueError, match=message):
            fitted().transform(ROWS)
        assert fitted().set_output(transform="default").transform(ROWS).shape[0] == 4
    assert pipe.set_output(transform="default").transform(ROWS).fields.max() == 2


@CORE_AND_SKLEARN
def test_metadata_are_routed_past_it(create):
    with sklearn.config_context(enable_metadata_routing=True):
        model = FFMClassifier(max_iter=2, early_stopping=False).set_fit_request(sample_weight=True)
        pipe = make_pipeline(create(["c", "x"]), model)
        pipe.fit(ROWS, [0, 1, 0, 1], sample_weight=[1, 1, 2, 2])
        assert pipe.predict(ROWS).shape == (4,)


@CORE_AND_SKLEARN
def test_a_file_keeps_which_of_both_it_is(create, tmp_path):
    encoder = fitted(create)
    save({"encoder": encoder}, tmp_path / "encoder")
    for other in (load(tmp_path / "encoder")["encoder"], pickle.loads(pickle.dumps(encoder))):
        assert type(other) is create
        assert (other.transform(ROWS) != encoder.transform(ROWS)).nnz == 0


@CORE_AND_SKLEARN
def test_a_fitted_encoder_comes_back_from_skops(create):
    io = pytest.importorskip("skops.io")
    encoder = fitted(create)
    encoder.transform([*ROWS, {"c": "new"}])
    dumped = io.dumps(encoder)
    other = io.loads(dumped, trusted=io.get_untrusted_types(data=dumped))
    assert (other.transform(ROWS) != encoder.transform(ROWS)).nnz == 0
    assert other.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
    assert [*map(str, other.encode_row(ROWS[3]))] == [*map(str, encoder.encode_row(ROWS[3]))]
    new = [{"c": "later"}]
    assert other.partial_fit(new).fields_.tolist() == encoder.partial_fit(new).fields_.tolist()
    assert other.get_params() == encoder.get_params()
