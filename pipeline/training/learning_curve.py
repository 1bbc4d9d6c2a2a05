"""The winner's learning curve: scores by the number of training rows."""

from collections.abc import Sequence

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import learning_curve
from sklearn.pipeline import Pipeline

from pipeline.data.table import Table
from pipeline.evaluation.metrics import roc_auc
from pipeline.search.problem import Fold, Problem
from pipeline.search.units import Candidate
from pipeline.training.choice import LEARNING_CURVE_SHARES
from pipeline.training.estimator import build_svm, build_transformer
from pipeline.training.tuning import Search, job_count


def winners_learning_curve(search: Search, table: Table, winner: Candidate) -> pd.DataFrame:
    """Return the winner's ROC AUC on training and on unseen rows, as the training rows grow."""
    n_classes = search.problem.n_classes
    svm = build_svm(winner, search.problem.approximation, n_classes)
    rng = np.random.default_rng(search.seed)
    folds = [(training[_mixed(table.y[training], rng)], test) for training, test in _folds(search)]
    with joblib.parallel_config(backend="threading", n_jobs=job_count(search)):
        rows, training, unseen = learning_curve(
            Pipeline([*build_transformer(table.contract).steps, ("svm", svm)]),
            table.X,
            table.y,
            cv=folds,
            train_sizes=_sizes(min(len(fold[0]) for fold in folds), search.problem),
            scoring="roc_auc" if n_classes == 2 else _macro_roc_auc,
        )
    return pd.DataFrame(
        {
            "rows": rows,
            "train_roc_auc_mean": training.mean(axis=1),
            "train_roc_auc_std": training.std(axis=1),
            "cv_roc_auc_mean": unseen.mean(axis=1),
            "cv_roc_auc_std": unseen.std(axis=1),
        }
    )


def _macro_roc_auc(fitted: Pipeline, X: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> float:
    return roc_auc(y, fitted.decision_function(X))


def _folds(search: Search) -> Sequence[Fold]:
    """Return the search's folds; in time the last one, since the others have ever fewer rows."""
    folds = search.problem.folds
    return folds[-1:] if search.problem.in_time else folds


def _mixed(y: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Shuffle rows so that they start with one of each class and go on with their mixture."""
    place = np.empty(len(y))
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
        place[rows[0]] = 0
    return np.argsort(place, kind="stable")


def _sizes(rows: int, problem: Problem) -> npt.NDArray[np.int64]:
    """Return the numbers of rows of a learning curve: enough for each class, and for the map."""
    components = problem.approximation.components if problem.approximation else 0
    fewest = max(components, problem.n_classes)
    sizes = np.unique([max(fewest, int(share * rows)) for share in LEARNING_CURVE_SHARES])
    return sizes.astype(np.int64)
