"""Tables to search, and the search of scikit-learn beside ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
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
        problem = self.problem(n_folds, **options)
        steps = [("transform", build_transformer(self.contract)), ("svm", svm or SVC())]
        on_map = isinstance(svm, Pipeline)
        names = ("svm__svm__C", "svm__map__gamma") if on_map else ("svm__C", "svm__gamma")
        search = GridSearchCV(
            Pipeline(steps),
            dict(zip(names, (C, gamma), strict=True)),
            scoring=problem.scoring,
            cv=list(problem.folds),
            refit=False,
        )
        return search.fit(self.X, self.y).cv_results_


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


def features(number: int) -> Contract:
    named = tuple(Feature(name=f"f{index}", nullable=True) for index in range(number))
    return Contract(target="y", classes=(0, 1), features=named)


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
