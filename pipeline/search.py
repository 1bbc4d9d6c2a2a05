"""The RBF grid search itself: arrays in, scores out; it knows no file, no parameter and no run.

The scores are those of scikit-learn's `GridSearchCV` on the same folds. They are reached with less
work: the transformer is fitted once for each fold, the squared distances are computed once for
each fold, and a kernel once for each gamma, for all C.
"""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from pipeline.metrics import roc_auc

Array = npt.NDArray[np.float64]
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def grid(low: float, high: float, size: int) -> Array:
    """Give `size` values from `low` to `high`, evenly spaced on a logarithmic axis.

    They are rounded to twelve significant digits, so that a value reads the same everywhere.
    """
    return np.array([float(f"{value:.12g}") for value in np.geomspace(low, high, size)])


def search(
    X: Array,
    y: npt.NDArray[np.int64],
    *,
    transformer: Any,
    folds: Sequence[Fold],
    C: Array,
    gamma: Array,
    n_jobs: int = -1,
    on_scored: Callable[[int], object] = lambda _: None,
) -> Array:
    """Score every (C, gamma) of an RBF-kernel SVM behind `transformer` by ROC AUC on every fold.

    X is `[rows, features]`, y is 0 or 1 `[rows]`, each fold gives its training and test rows.
    Returns `[len(C), len(gamma), len(folds)]`. `on_scored` is called with the number
    of (candidate, fold) pairs that were just finished.
    """
    with threadpool_limits(limits=1):
        distances = [_fold_distances(X, y, transformer, fold) for fold in folds]
        units = [(fold, column) for fold, column in product(range(len(folds)), range(len(gamma)))]
        # libsvm releases the interpreter's lock, so threads do, and share the distances.
        scored = Parallel(n_jobs=n_jobs, backend="threading", return_as="generator_unordered")(
            delayed(_score_unit)(distances[fold], C, gamma[column], (fold, column))
            for fold, column in units
        )
        scores = np.empty((len(C), len(gamma), len(folds)))
        for (fold, column), values in scored:
            scores[:, column, fold] = values
            on_scored(len(C))
    return scores


def results_table(
    C: Array, gamma: Array, scores: Array, rank_by: Literal["median", "mean"]
) -> pd.DataFrame:
    """Tabulate and rank the candidates, in the columns of scikit-learn's `cv_results_`.

    Ranks go by the median or mean over the folds, equal scores sharing a rank. The first row is
    the winner: of equals the one with the smaller C, then the smaller gamma, the smoother model.
    """
    n_folds = scores.shape[2]
    rows = [
        (c, g, *scores[i, j])
        for (i, c), (j, g) in product(enumerate(C.tolist()), enumerate(gamma.tolist()))
    ]
    splits = [f"split{fold}_test_score" for fold in range(n_folds)]
    table = pd.DataFrame(rows, columns=["param_C", "param_gamma", *splits])
    table["mean_test_score"] = table[splits].mean(axis=1)
    table["median_test_score"] = table[splits].median(axis=1)
    table["std_test_score"] = table[splits].std(axis=1, ddof=0)
    # Sums in another order differ in the last bits: these must not decide between equals.
    ranked = table[f"{rank_by}_test_score"].round(12)
    table["rank_test_score"] = ranked.rank(method="min", ascending=False).astype(int)
    return table.sort_values(["rank_test_score", "param_C", "param_gamma"], ignore_index=True)


def _fold_distances(
    X: Array, y: npt.NDArray[np.int64], transformer: Any, fold: Fold
) -> tuple[Array, Array, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Transform a fold and give its squared distances: training to training, test to training."""
    training, test = fold
    fitted = clone(transformer).fit(X[training], y[training])
    A, B = fitted.transform(X[training]), fitted.transform(X[test])
    return cdist(A, A, "sqeuclidean"), cdist(B, A, "sqeuclidean"), y[training], y[test]


def _score_unit(
    distances: tuple[Array, Array, npt.NDArray[np.int64], npt.NDArray[np.int64]],
    C: Array,
    gamma: float,
    unit: tuple[int, int],
) -> tuple[tuple[int, int], list[float]]:
    """Score all C for one fold and one gamma, on the same kernel."""
    training, test, y_training, y_test = distances
    K_training, K_test = np.exp(-gamma * training), np.exp(-gamma * test)
    scores = []
    for c in C:
        svm = SVC(C=c, kernel="precomputed").fit(K_training, y_training)
        scores.append(roc_auc(y_test, svm.decision_function(K_test)))
    return unit, scores
