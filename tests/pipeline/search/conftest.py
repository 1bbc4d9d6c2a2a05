"""Tables to search, and the search of scikit-learn beside ours."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import label_binarize
from sklearn.svm import SVC

from pipeline.data.table import read_split
from pipeline.search import local
from pipeline.search.grid import grid_candidates
from pipeline.search.memory import make_plan
from pipeline.search.problem import Nystroem, Problem
from pipeline.search.strategy import Callbacks, Result, exhaustive, scores_of
from pipeline.search.units import Penalty, Unit
from pipeline.training.estimator import build_transformer
from pipeline.training.folds import repeated_folds
from serving.model.contract import Contract, Feature

PLENTY = 10**9


@dataclass(frozen=True)
class Searched:
    """A table, and how it is searched by us and by scikit-learn."""

    X: Any
    y: Any
    contract: Contract

    def problem(
        self,
        n_folds: int = 5,
        approximation: Nystroem | None = None,
        *,
        repeats: int = 1,
        scoring: Any = "roc_auc",
    ) -> Problem:
        folds = repeated_folds(self.y, n_folds, repeats, 42)
        transformer = build_transformer(self.contract)
        return Problem(self.X, self.y, transformer, folds, approximation, scoring)

    def search(
        self,
        C: Any,
        gamma: Any,
        n_folds: int = 5,
        *,
        jobs: int = 2,
        limit: int = PLENTY,
        class_weights: Any = ("none",),
        **options: Any,
    ) -> list[Result]:
        problem = self.problem(n_folds, **options)
        candidates = grid_candidates(np.asarray(C), np.asarray(gamma), class_weights)
        return exhaustive(problem, candidates, run_with(jobs, limit), Callbacks())

    def scores(self, C: Any, gamma: Any, n_folds: int = 5, **options: Any) -> Any:
        return scores_of(self.search(C, gamma, n_folds, **options))

    def grid_search_cv(
        self, C: Any, gamma: Any, n_folds: int = 5, svm: Any = None, **options: Any
    ) -> Any:
        """Give the `cv_results_` of `GridSearchCV` on the same folds."""
        problem, svm = self.problem(n_folds, **options), svm or SVC()
        names = ("svm__C", "map__gamma") if isinstance(svm, Pipeline) else ("C", "gamma")
        prefix, scoring = "svm", problem.scoring
        if problem.n_classes > 2:
            svm, prefix = OneVsRestClassifier(svm), "svm__estimator"
            scoring = partial(one_vs_rest_score, problem.scoring)
        search = GridSearchCV(
            Pipeline([("transform", build_transformer(self.contract)), ("svm", svm)]),
            {f"{prefix}__{name}": values for name, values in zip(names, (C, gamma), strict=True)},
            scoring=scoring,
            cv=list(problem.folds),
            refit=False,
        )
        return search.fit(self.X, self.y).cv_results_


def one_vs_rest_score(scoring: str, estimator: Any, X: Any, y: Any) -> float:
    """Give scikit-learn's macro mean of a score, of each class against the rest."""
    score = {"roc_auc": roc_auc_score, "average_precision": average_precision_score}[scoring]
    of_each = label_binarize(y, classes=estimator.classes_)
    return float(score(of_each, estimator.decision_function(X), average="macro"))


def unit(fold: int, gamma: float, *C: float) -> Unit:
    """Give the unit of unweighted candidates."""
    return Unit(fold, gamma, tuple(map(Penalty, C)))


def run_with(jobs: int = 2, limit: int = PLENTY) -> Callable[..., Any]:
    """Give a runner on this machine."""
    return lambda problem, units: local.run(problem, make_plan(problem.shape, jobs, limit), units)


def fold_scores(cv_results: Any) -> Any:
    """Give the scores of `cv_results_` as `[candidates, folds]`."""
    n_folds = sum(name.startswith("split") and name.endswith("_test_score") for name in cv_results)
    return np.column_stack([cv_results[f"split{fold}_test_score"] for fold in range(n_folds)])


def features(number: int, *, categories: int = 0, classes: int = 2) -> Contract:
    """Give the contract of numbers, of which the last is a category, if there are categories."""
    named = [Feature(name=f"f{index}", nullable=True) for index in range(number)]
    if categories:
        texts = tuple(map(str, range(categories)))
        named[-1] = Feature(name="c", type="category", categories=texts, nullable=True)
    return Contract(target="y", classes=tuple(range(classes)), features=tuple(named))


@pytest.fixture(scope="session")
def breast_cancer() -> Searched:
    """Two dozen of its values are left out."""
    X, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(3)
    X[rng.integers(0, len(X), 24), rng.integers(0, 30, 24)] = np.nan
    return Searched(X, y.astype(np.int64), features(30))


@pytest.fixture(scope="session")
def pima_training(pima: Any) -> Searched:
    table = read_split(pima.training, Contract.read(pima.contract))
    return Searched(table.X, table.y, table.contract)


@pytest.fixture(scope="session")
def mixed(mixed_model: Any) -> Searched:
    """Categories and numbers."""
    return Searched(mixed_model.X, mixed_model.y, mixed_model.contract)


@pytest.fixture(scope="session")
def small() -> Searched:
    """A hundred and twenty rows of three features, some of which overlap."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 3))
    y = (X[:, 0] + X[:, 1] ** 2 + rng.normal(size=120) / 2 > 1).astype(np.int64)
    return Searched(X, y, features(3))


@pytest.fixture(scope="session")
def three_classes() -> Searched:
    """Three classes of 90, 45 and 15 rows, two numbers with gaps and a category."""
    rng = np.random.default_rng(2)
    y = rng.permutation(np.repeat([0, 1, 2], [90, 45, 15]))
    X = rng.normal(size=(150, 3)) + np.array([[0, 0, 0], [1, 1, 0], [-1, 2, 0]])[y]
    X[:, 2] = np.where(rng.random(150) < 0.6, y, rng.integers(0, 4, 150))
    X[rng.random(X.shape) < 0.05] = np.nan
    return Searched(X, y.astype(np.int64), features(3, categories=4, classes=3))
