"""The objects whose files fuzz_models.py damages, and what is done with an object that was loaded."""

from __future__ import annotations

import io
import traceback
from pathlib import Path

import joblib
import numpy as np
from scipy.sparse import csr_array
from sklearn import calibration
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

import fastfm_c
from fastfm_c import (
    FFM,
    FM,
    FTRL,
    SGD,
    AdaGrad,
    Adam,
    FieldEncoder,
    FieldTable,
    LogisticLoss,
    SoftmaxLoss,
    SquaredLoss,
)
from fastfm_c import sklearn as estimators
from fastfm_c.bayes import OrderedProbit, Posterior, sample
from fastfm_c.distributed import train
from fastfm_c.distributed._checkpoint import Checkpoint
from fastfm_c.inspection import Drift
from fastfm_c.recommend import FMRecommender, Ids
from fastfm_c.serving import QuantizedFFM, QuantizedFM, apply, diff, quantize
from fastfm_c.serving._patch import Patch
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FieldColumnTransformer, FMClassifier, FMRegressor

N_FEATURES = 5
FIELDS = [0, 1, 1, 2, 0]
X = csr_array(np.eye(N_FEATURES) + 0.5 * np.eye(N_FEATURES, k=2))
Y = np.array([0, 1, 1, 0, 1])
# For what stands around an estimator: a category, a number with a gap, and a number.
TABLE = np.array([[0, 1.5, 2], [1, np.nan, 3], [2, 1.0, 3], [0, 2.5, 1], [1, 0.5, 4]] * 3)
ROWS = [{"site": "a", "size": 1.0}, {"site": "b", "size": 2.0}]


def objects():
    """One object of every kind, trained where it can be."""
    models = [
        FM.random(N_FEATURES, 2, rng=0),
        FFM.random(FIELDS, 3, dtype="float64", rng=0),
        FM.random(N_FEATURES, 2, n_outputs=3, rng=0),
    ]
    yield from models
    bits = np.random.PCG64(0), np.random.MT19937(0), np.random.Philox(0), np.random.SFC64(0)
    losses = LogisticLoss(0.1), SquaredLoss(), SoftmaxLoss(), LogisticLoss()
    kinds = SGD, AdaGrad, Adam, FTRL
    for create, loss, model, rng in zip(kinds, losses, [*models, models[1]], bits, strict=True):
        solver = create(model.copy(), loss, shuffle=True, batch_size=2, rng=rng)
        solver.partial_fit(X * 2, Y)
        yield solver
    yield {"ffm": models[1], "solver": solver, "trained": solver.model}
    labels = np.array(["no", "yes"], object)
    yield FMClassifier(n_factors=2, max_iter=2, class_weight={"no": 2.0}, random_state=0).fit(X, labels[Y])
    yield FMClassifier(n_factors=1, random_state=np.random.RandomState(0)).partial_fit(X, Y, [0, 1, 2])
    yield FFMRegressor(n_factors=2, fields=FIELDS).partial_fit(X, 100.0 * Y)
    yield FFMRegressor()
    yield FMRegressor(n_factors=1, max_iter=2, early_stopping=False).fit(X, Y)
    yield FFMClassifier(n_factors=1, max_iter=2, fields=FIELDS, early_stopping=False).fit(X, Y)
    yield FieldEncoder().fit(ROWS)
    yield estimators.FieldEncoder().fit(ROWS)
    drift = Drift(fields=FIELDS).fit(X, np.arange(N_FEATURES))
    yield drift
    yield from (quantize(models[0]), quantize(models[1], "int8"), quantize(models[2], "int8", fields=FIELDS))
    file = io.BytesIO()
    diff(models[0], FM.random(N_FEATURES, 2, rng=1), file)
    file.seek(0)
    yield fastfm_c.load(file)
    yield FieldTable([1, 0, 0, 0], features=[0, 0, 1, -1], has_values=[True, True, True, False])
    start = FM.random(N_FEATURES, 2, init_stdev=0.3, rng=0)
    yield sample(start, X, Y, LogisticLoss(), n_iter=3, burn_in=1, keep=2, X_test=X, rng=0)
    yield sample(start, X, Y, OrderedProbit(3), n_iter=3, burn_in=1, keep=2, X_test=X, rng=0)
    yield FMRecommender(n_factors=2, max_iter=2, random_state=0).fit(X)
    yield Ids(["a", 7, ("b", 2)])
    file = io.BytesIO()
    train(FM.random(N_FEATURES, 2, rng=0), [(X, Y)], LogisticLoss(), max_iter=1, checkpoint=file)
    file.seek(0)
    yield fastfm_c.load(file)
    yield from objects_of_scikit_learn()


def objects_of_scikit_learn():
    """What stands around an estimator."""
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), [1]),
        (OneHotEncoder(handle_unknown="ignore"), [0]),
        (OrdinalEncoder(), [0]),
        (make_union(MinMaxScaler(), MaxAbsScaler(), FunctionTransformer()), [2]),
        (RobustScaler(), slice(2, 3)),
    )
    labels = np.resize([0, 1], len(TABLE))
    pipe = make_pipeline(columns, FMClassifier(n_factors=1, max_iter=2, random_state=0)).fit(TABLE, labels)
    yield pipe
    yield FieldColumnTransformer([("f", FieldEncoder(), [0]), ("n", StandardScaler(), [2])]).fit(TABLE)
    yield ColumnTransformer([("rest", StandardScaler(), make_column_selector("a"))])
    yield CalibratedClassifierCV(FrozenEstimator(pipe), method="sigmoid").fit(TABLE, labels)
    methods = ["isotonic", "temperature"] if "_TemperatureScaling" in vars(calibration) else ["isotonic"]
    for method in methods:
        yield CalibratedClassifierCV(pipe, method=method, cv=2).fit(TABLE, labels)


def use(obj):
    """Do with an object what one does with it; what is refused must be refused by ValueError."""
    if isinstance(obj, dict):
        for item in obj.values():
            use(item)
    elif isinstance(obj, Drift):
        obj.compare(csr_array((1, len(obj._counts.bins.fields))), None)
    elif isinstance(obj, Patch):
        file = io.BytesIO()
        fastfm_c.save(obj, file)
        file.seek(0)
        apply(FM.random(N_FEATURES, 2, rng=0), file)
    elif isinstance(obj, FM | FFM | QuantizedFM | QuantizedFFM):
        n = obj.n_features
        obj.predict(csr_array(np.eye(min(n, 8), n)))
        obj.predict_row(np.arange(min(n, 8)), np.ones(min(n, 8)))
    elif isinstance(obj, Posterior):
        use(obj.model)
        obj.std(csr_array((1, obj.model.n_features)))
        obj.mean()
    elif isinstance(obj, FMRecommender):
        obj.recommend(0)
        obj.similar_items(0)
    elif isinstance(obj, Checkpoint):
        use(obj.model)
    elif isinstance(obj, Ids):
        obj.add(["new"])
    elif isinstance(obj, FieldTable):
        obj.encode_row([0, 9], [obj[0] if len(obj) else 0, 0], [1.0, 2.0], unknown="ignore")
    elif hasattr(obj, "encode_row"):
        obj.encode_row(ROWS[0])
    elif isinstance(obj, ColumnTransformer) or type(obj).__module__.startswith("sklearn."):
        use_of_scikit_learn(obj)
    elif hasattr(obj, "n_steps"):
        obj.partial_fit(csr_array(np.eye(5, obj.model.n_features)), Y)
        use(obj.model)
    elif hasattr(obj, "model_"):
        use(obj.model_)
        obj.predict(X)
        if hasattr(obj, "solver_") and hasattr(obj, "partial_fit"):
            obj.partial_fit(X, obj.classes_[Y % len(obj.classes_)] if hasattr(obj, "classes_") else Y)


def use_of_scikit_learn(obj):
    """Objects of scikit-learn refuse in many ways what is wrong with them; our code, by ValueError alone."""
    try:
        with joblib.parallel_config("sequential"):  # n_jobs may be any number
            for method in ("transform", "predict", "predict_proba"):
                if hasattr(obj, method):
                    getattr(obj, method)(TABLE)
    except NotFittedError:
        return
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1].filename
        if Path(where).is_relative_to(Path(fastfm_c.__file__).parent):
            raise
        raise ValueError(f"scikit-learn: {error}") from error
