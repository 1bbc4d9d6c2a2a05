"""The tables that searches are measured on."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from sklearn.datasets import load_wine, make_classification

from bench.wheels import wheel
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


def wine() -> SearchTable:
    """Return scikit-learn's table of 178 wines of three growers."""
    data = load_wine()
    named = tuple(Feature(name=name) for name in data.feature_names)
    return _table(data.data, data.target, Contract(target="y", classes=(0, 1, 2), features=named))


def penguins() -> SearchTable:
    """Return the 344 penguins of Palmer Station, of three species (Horst, Hill and Gorman 2020)."""
    with zipfile.ZipFile(wheel("palmerpenguins-0.1.6-py3-none-any.whl", "penguins.txt")) as archive:
        cells = pd.read_csv(archive.open("palmerpenguins/data/penguins.csv"))
    X, features = [], []
    for name in cells.columns.drop(["species", "year"]):
        codes, texts = pd.factorize(cells[name], sort=True)
        if pd.api.types.is_numeric_dtype(cells[name]):
            features.append(Feature(name=name, nullable=True))
            X.append(cells[name].to_numpy(dtype=np.float64))
        else:
            categories = tuple(map(str, texts))
            features.append(
                Feature(name=name, type="category", categories=categories, nullable=True)
            )
            X.append(np.where(codes < 0, np.nan, codes))
    y, species = pd.factorize(cells["species"], sort=True)
    contract = Contract(target="species", classes=tuple(species), features=tuple(features))
    return _table(np.column_stack(X), y.astype(np.int64), contract)


def _table(X: Any, y: Any, contract: Contract, folds: int = 5) -> SearchTable:
    return SearchTable(X, y, contract, repeated_folds(y, folds, 1, SEED))
