"""The part of the docstrings that the four estimators share: parameters and attributes."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["CLASSIFIER", "FFM", "FM", "REGRESSOR", "shared_parameters"]

_Class = TypeVar("_Class", bound=type)


def shared_parameters(targets: dict[str, str], model: dict[str, str]) -> Callable[[_Class], _Class]:
    """A decorator that writes the shared part for <parameters> in the docstring of an estimator.

    Parameters
    ----------
    targets : CLASSIFIER or REGRESSOR
    model : FM or FFM
    """

    def fill(estimator: _Class) -> _Class:
        if estimator.__doc__:  # there is none under python -OO
            shared = _PARAMETERS.format(**targets, **model)
            estimator.__doc__ = estimator.__doc__.replace("<parameters>", shared)
        return estimator

    return fill


_PARAMETERS = """n_factors : int
        Length of the factor vectors.
    solver : {{"adagrad", "sgd", "adam", "ftrl", "lbfgs"}}
        "lbfgs" minimises the exact objective, in float64 whatever `dtype` is; it has no `partial_fit`.
    learning_rate : float or None
        Step size; None is the default of the solver. "lbfgs" has none.
    max_iter : int or None
        Most passes over the rows ("lbfgs": iterations). None: 100 with early stopping or "lbfgs"; otherwise
        10, or more where there are fewer than 10,000 rows: 100,000 divided by their number, at most 100.
    batch_size : int or None
        Rows between two updates. None is the default of the solver; a fit to few rows takes fewer, so that
        a pass has 64 updates. "lbfgs" has none.
    l2_linear, l2_factors : float
        L2 penalties on the linear weights and on the factors, not on the bias: see the solvers.{penalties}
{classes}    init_stdev : float
        Standard deviation of the factors that a fit begins with.
    early_stopping : None, bool, "log_loss", "auc", "rmse" or callable
        Whether, and by which figure of the validation rows, a fit stops early and goes back to its best
        pass. None: by the loss, where there is an `eval_set` or at least 100 rows can be held out, and not
        with "lbfgs". A callable takes ``(y, scores)``, and ``sample_weight=`` where rows have weights; the
        scores are those of `decision_function` or, for a regressor, `predict`.
        `fastfm_c.training.train` says more.
    validation_fraction : float
        Share of the rows to hold out for early stopping where `fit` is given no `eval_set`.
    n_iter_no_change : int or None
        Passes without an improvement after which early stopping ends a fit. None: 5, or 10 with "lbfgs",
        which also ends after so many iterations that made the objective smaller by less than `tol`. Where
        single columns tell nothing and only pairs do, as ids of users and items alone, the factors may need
        more passes before anything gets better.
    tol : float
        Smallest change of the figure that is an improvement.
    normalize : None, "instance"{or_xlearn}
        What each row is divided by first, in learning and in prediction: see `FM.normalize`.
    warm_start : bool
        `fit` goes on from the parameters of the fit before, which was on the same columns{and_classes}.
    dtype : "float32" or "float64"
        Of the model and its scores.
    random_state : int, RandomState or None
        Decides about the first factors, the order of rows and those held out. One int gives the same bits
        with any number of threads.
    n_jobs : int or None
        Threads. None is the default of the library, see `fastfm_c.set_num_threads`; -1 is all.
    verbose : bool or int
        Show the progress on stderr.{fields}

    Attributes
    ----------
    model_ : {model}
        The model. Its ``predict_row`` is the fast way to the score of a single row.
    {attribute}
    history_ : fastfm_c.training.History
        Losses and seconds of each pass of `fit`, or of each call of `partial_fit`.
    n_iter_ : int
        Number of passes.
    solver_ : fastfm_c.SGD, AdaGrad, Adam or FTRL
        What `partial_fit` goes on with from call to call.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X was a DataFrame with names."""

CLASSIFIER = {
    "penalties": "",
    "classes": """    label_smoothing : float
        In [0, 1): share of a row's target that goes to the other classes.
    class_weight : None, dict or "balanced"
        Factors of the rows' weights by label; "balanced" makes the total weights of all classes equal.
""",
    "and_classes": " and classes",
    "attribute": """classes_ : ndarray of shape (C,)
        The labels, sorted. Two make a model with one output, more one with C outputs.""",
}
REGRESSOR = {
    "penalties": """
        They are those of targets divided by `target_scale_`.""",
    "classes": "",
    "and_classes": "",
    "attribute": """target_scale_ : float
        A power of 4 near the standard deviation of y. Solvers, callbacks and the progress shown see y
        divided by it, so that steps of one size suit targets of any; what is left in `model_` and
        `history_` is in the units of y. Powers of 4 do that without rounding.""",
}
FM = {"model": "FM", "fields": "", "or_xlearn": ' or "xlearn"'}
FFM = {
    "model": "FFM",
    "or_xlearn": "",
    "fields": """
    fields : array_like of int, shape (n_features,), or None
        Field of each column, in 0..n_fields-1. None: `X.fields` where a sparse X has it, as those of
        `fastfm_c.FieldEncoder` and `fastfm_c.load_libffm` do (`scipy.sparse.vstack` loses it,
        `fastfm_c.vstack` does not); else each column is a field of its own, if there are no more than
        2000: that makes n_features**2 * n_factors factors.""",
}
