"""The tables that searches are measured on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sklearn.datasets import make_classification

from pipeline.data.source_split import split_source
from pipeline.params_file import load
from pipeline.search.problem import Fold, Nystroem, Problem
from pipeline.training.estimator import build_transformer
from pipeline.training.folds import repeated_folds
from serving.model.contract import Contract, Feature

SEED = 42
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class SearchTable:
    X: Any
    y: Any
    contract: Contract
    folds: tuple[Fold, ...]

    @property
    def memory_limit(self) -> int:
        return int(psutil.virtual_memory().total / 4)

    def first(self, rows: int) -> "SearchTable":
        """Return the same table with its first rows only."""
        return _table(self.X[:rows], self.y[:rows], self.contract, len(self.folds))

    def problem(self, approximation: Nystroem | None = None) -> Problem:
        transformer = build_transformer(self.contract)
        return Problem(self.X, self.y, transformer, self.folds, approximation)


def pima() -> SearchTable:
    """Return the training split of the default table, as the pipeline makes it."""
    params = load(ROOT / "params.yaml")
    training = split_source(ROOT / params.data.file, params).training
    return _table(training.X, training.y, training.contract, params.grid_search.folds)


def made_up(rows: int, features: int = 20, folds: int = 5) -> SearchTable:
    """Make a table whose classes lie in several clumps that overlap, so that no line parts them."""
    X, y = make_classification(
        n_samples=rows,
        n_features=features,
        n_informative=features // 2,
        n_redundant=features // 5,
        n_clusters_per_class=8,
        class_sep=0.8,
        flip_y=0.05,
        random_state=SEED,
    )
    named = tuple(Feature(name=f"f{number}") for number in range(features))
    return _table(X, y, Contract(target="y", classes=(0, 1), features=named), folds)


def _table(X: Any, y: Any, contract: Contract, folds: int) -> SearchTable:
    return SearchTable(X, y, contract, repeated_folds(y, folds, 1, SEED))
