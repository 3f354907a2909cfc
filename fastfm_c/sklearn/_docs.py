"""The part of the docstrings that the four estimators share: parameters and attributes."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["CLASSIFIER", "FFM", "FM", "REGRESSOR", "shared_parameters"]

_Class = TypeVar("_Class", bound=type)


def shared_parameters(targets: dict[str, str], model: dict[str, str]) -> Callable[[_Class], _Class]:
    """A decorator that puts the shared part in the place of ``<parameters>`` in a docstring.

    Parameters
    ----------
    targets : CLASSIFIER or REGRESSOR
    model : FM or FFM
    """

    def fill(estimator: _Class) -> _Class:
        if estimator.__doc__:  # python -OO removes docstrings
            shared = _PARAMETERS.format(**targets, **model)
            estimator.__doc__ = estimator.__doc__.replace("<parameters>", shared)
        return estimator

    return fill


_PARAMETERS = """n_factors : int
        Length of the factor vectors.
    solver : {{"adagrad", "sgd", "adam", "ftrl", "lbfgs", "als", "mcmc"}}
        "lbfgs" and "als" minimise the exact objective. "mcmc" is Gibbs sampling, `fastfm_c.bayes.sample`: it
        draws its own penalties, and predictions are means over samples. It takes no `warm_start` and no early
        stopping. None of the three has a `partial_fit`. "lbfgs" and "mcmc" compute in float64 for any
        `dtype`. "als" and "mcmc" are for numbers or two classes, "mcmc" for an FM only. The other solvers are
        stochastic.
    learning_rate : float, callable, "constant", "inverse_sqrt", "cosine" or None
        Step size. None is chosen as `l2_factors` is, or the default of the solver where nothing is chosen. A
        callable is called with the number of the epoch, counted from 1, and returns the step size of that
        epoch. The name of a schedule is that schedule from the default of the solver on. "lbfgs", "als"
        and "mcmc" have none.
    schedule : "constant", "inverse_sqrt", "cosine" or None
        How the step size changes from epoch to epoch. "inverse_sqrt" divides `learning_rate` by the root of
        the number of the epoch. "cosine" lets it fall to nearly 0 at the last of `max_iter` epochs. None is
        "constant". `partial_fit` counts each call as an epoch, goes on counting from call to call, and
        refuses "cosine", because it knows no last epoch. "lbfgs", "als" and "mcmc" have none.
    max_iter : int or None
        Largest number of epochs, of iterations of "lbfgs" or of sweeps of "als"; of "mcmc" the number of
        iterations, of which the first 20, or a fifth if that is less, do not count. None is 100 with early
        stopping or "lbfgs", 20 with "als", and 200 with "mcmc". Otherwise None is 100,000 divided by the
        number of rows, but at least 10 and at most 100. A ConvergenceWarning tells if "lbfgs", "als" or a
        fit with early stopping ends at a given number before it has settled.
    batch_size : int or None
        Number of rows between two updates. For `fit`, None is a 64th of the rows, but at least 8 and at most
        1024 (2048 of an FFM, 32 for "sgd"). For `partial_fit`, None is 8 at first and grows with the rows so
        far to the default of the solver: 256 (32 for "sgd"). "lbfgs", "als" and "mcmc" have none.
    clip_value : float or None
        Largest absolute gradient of a parameter in a batch; None is no limit. "lbfgs",
        "als" and "mcmc" have none.
    l2_linear, l2_factors : float or None
        L2 penalties on the linear weights and on the factors, but not on the bias.{penalties} None is chosen:
        `fit` tries some penalties and learning rates, and takes those whose model is best on the validation
        rows. `history_.candidates` has them all. A number is taken as it is. None is 1e-5 where there are no
        validation rows, with "lbfgs" or "als", and for `partial_fit`. "mcmc" has none. Except with "lbfgs",
        "als" and "ftrl", the penalties are those of columns whose values are divided by their size, which is
        the root of the mean square of their non-zeros ("sgd": the largest absolute value). `partial_fit`
        takes the values so far.
        The docstrings of the solvers say more.
{classes}    init_stdev : float or None
        Standard deviation of the factors at the start of a fit. None is 0.01, with "als" 0.1, and with "mcmc"
        0.3.
    early_stopping : None, bool, {metrics} or callable
        Whether a fit stops early and goes back to its best epoch, and which figure of the validation rows
        decides about that. True is the loss. None is True if there are validation rows, or if at least 100
        rows can be held out, except with "lbfgs", "als" and "mcmc". With fewer rows, but at least 50, None is
        five folds: five models learn side by side, each without a fifth of the rows. {metric_words}A callable
        takes ``(y, scores)``, and ``sample_weight=`` if the rows have weights. Its scores are those of
        `decision_function` or, for a regressor, `predict`. `fastfm_c.train` says more.
    validation_fraction : float
        Share of the rows that `fit` holds out for early stopping if it is given no validation rows.{strata}
    validation_split : "random" or "time"
        Which rows those are. "time" holds out the last ones.
    n_iter_no_change : int or None
        Number of epochs without an improvement after which early stopping ends a fit. None is 5, or 15 for
        fewer than 20,000 rows, or 10 with "lbfgs". "lbfgs" also ends when this number of iterations made the
        objective smaller by less than `tol`. If only pairs of columns tell something, as with ids of users
        and items, the factors may need more epochs before the figure improves.
    tol : float
        Smallest change of the figure that counts as an improvement.
    normalize : {normalize}
        What each row is divided by before the model learns from it or scores it: see `FM.normalize`.
    refit : bool
        Whether `fit` learns all rows in the end, for as many epochs as were best while some were held out.
        The last of these epochs take ever shorter steps. There is nothing to do with `X_val`, without early
        stopping and with "lbfgs".
    warm_start : bool
        Whether `fit` goes on from the parameters of the fit before. What that fit chose is not chosen anew.
        That fit must have had the same columns{and_classes}.
    dtype : "float32" or "float64"
        Dtype of the model and of its scores.
    random_state : int, RandomState or None
        Decides about the first factors, the order of the rows, and the rows that are held out. An int gives
        the same bits with any number of threads.
    n_jobs : int or None
        Number of threads. None is the default of the library, see `fastfm_c.set_num_threads`. -1 is all.
    verbose : bool or int
        Whether to show the progress on stderr.{fields}

    Attributes
    ----------
    model_ : {model}
        The model. Its ``predict_row`` is the fast way to the score of a single row.
    {attribute}
    posterior_ : fastfm_c.bayes.Posterior
        Of a fit with "mcmc": 32 samples and the trace, in the units of y. `model_` is then one plain FM that
        is nearly as good as their mean.{probit} Callbacks get the sample of the iteration. An exception
        leaves the estimator fitted by the iterations that are over.
    history_ : fastfm_c.training.History
        Loss and seconds of each epoch of `fit`, or of each call of `partial_fit`. If `fit` tried several
        settings, the epochs are those of the settings that it took; `history_.candidates` has all, and
        `history_.refit` the losses of the epochs over all rows.
    n_iter_ : int
        Number of epochs in `history_`.
    learning_rate_, l2_linear_, l2_factors_ : float
        What `fit` took.
    solver_ : fastfm_c.SGD, AdaGrad, Adam or FTRL
        The solver of `partial_fit`. It keeps its state from call to call.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X was a DataFrame with names."""

CLASSIFIER = {
    "probit": """ Its scores are no log-odds: the probability at a score is the
        normal distribution function of it, and `LogisticLoss.proba` is wrong. `explain` explains them.""",
    "metrics": '"log_loss", "auc", "accuracy"',
    "metric_words": """The "auc" of more than two classes is the
        mean of those of each class against the rest. """,
    "strata": """ Each
        class has the same share of them. `class_weight` multiplies their weights, too.""",
    "penalties": "",
    "classes": """    label_smoothing : float
        In [0, 1): the share of a row's target that goes to the other classes.
    class_weight : None, dict or "balanced"
        Factors of the weights of rows, by label. "balanced" makes the total weights of all classes equal.
""",
    "and_classes": " and classes",
    "attribute": """classes_ : ndarray of shape (C,)
        The labels, sorted. A model of at most two classes has one output, a model of more has C outputs.""",
}
REGRESSOR = {
    "probit": "",
    "metrics": '"rmse", "auc"',
    "metric_words": "",
    "strata": "",
    "penalties": """ They are the penalties
        of a model of y / `target_scale_`.""",
    "classes": """    clip : bool
        Whether `predict` keeps to the range of the y that was learned, as libFM does. `model_` does not.
""",
    "and_classes": "",
    "attribute": """y_range_ : (float, float)
        The least and the largest y of a row of positive weight that was learned.
    target_scale_ : float
        A power of 4 near the standard deviation of y. Solvers, callbacks and the progress shown see y
        divided by it, after the mean of y is subtracted. Steps of one size then suit targets of any size.
        `model_` and `history_` are in the units of y after the fit. A power of 4 causes no rounding.
        `partial_fit` and a warm start take another one when y turns out to be of another size.
        `partial_fit` subtracts nothing.""",
}
FM = {"model": "FM", "fields": "", "normalize": 'None, "instance" or "xlearn"'}
FFM = {
    "model": "FFM",
    "normalize": 'None or "instance"',
    "fields": """
    fields : array_like of int, shape (n_features,), fitted transformer, "one-hot", or None
        Field of each column, in 0..n_fields-1, or the transformer whose result X is. "one-hot" finds them in
        the rows of `fit`: neighbouring columns of which each row has exactly one, with a value of 1, are one
        field, and every other column is a field of its own. None is `X.fields` if X
        is sparse and has it. The X of `fastfm_c.FieldEncoder`, `FieldColumnTransformer` and
        `fastfm_c.load_libffm` has it; `fastfm_c.vstack` keeps it, but scikit-learn's ColumnTransformer and
        `scipy.sparse.vstack` lose it. Without `X.fields`, each of at most 2000 columns is a field of its
        own, with a warning if there are more than 64 in a sparse X. Such a model has
        n_features**2 * n_factors factors. Later rows may not have a value in another field than the model;
        columns without values may be in any. With `fields` given, `X.fields` is not looked at.""",
}
