"""A search problem: a table, its folds, and the fit of a candidate on one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils import resample

from pipeline.search.memory import Shape

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
Scoring = Literal["roc_auc", "average_precision"]


def svm_count(n_classes: int) -> int:
    """Return the SVMs of a candidate: one for two classes, else one for each against the rest."""
    return 1 if n_classes == 2 else n_classes


def side_by_side(columns: Sequence[Array]) -> Array:
    """Return the values of the SVMs: of one `[rows]`, of several `[rows, classes]`."""
    return columns[0] if len(columns) == 1 else np.column_stack(columns)


@dataclass(frozen=True)
class Nystroem:
    """The approximation of the kernel by `components` of the training rows."""

    components: int
    seed: int


@dataclass(frozen=True)
class Problem:
    """A search: X is `[rows, features]`, y a class from 0, a fold its training and its test rows.

    `transformer` is fitted on the training rows of each fold. Without an approximation the SVM is
    the exact one. `in_time` is true where each fold's rows are later than those of the fold before.
    """

    X: Array
    y: Labels
    transformer: Any
    folds: tuple[Fold, ...]
    approximation: Nystroem | None = None
    scoring: Scoring = "roc_auc"
    in_time: bool = False

    @property
    def n_classes(self) -> int:
        return max(2, int(self.y.max()) + 1)

    @property
    def shape(self) -> Shape:
        """Return the size of the largest fold."""
        training = max(len(fold[0]) for fold in self.folds)
        test = max(len(fold[1]) for fold in self.folds)
        components = self.approximation.components if self.approximation else None
        svms = svm_count(self.n_classes)
        return Shape(len(self.folds), training, test, self.X.shape[1], components, svms)

    def subsampled(self, rows: int, seed: int) -> "Problem":
        """Return the same search on `rows` of all rows, drawn from each fold's two parts alike.

        The draw is that of scikit-learn's `HalvingGridSearchCV`; a smaller one is part of a larger.
        """
        share = rows / len(self.y)

        def drawn(part: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            n_samples = int(share * len(part))
            return np.asarray(resample(part, replace=False, random_state=seed, n_samples=n_samples))

        folds = tuple((drawn(training), drawn(test)) for training, test in self.folds)
        return replace(self, folds=folds)

    def has_every_class(self) -> bool:
        """True if every fold has rows of every class to train on, and to score."""
        return all(
            len(np.unique(self.y[part])) == self.n_classes for fold in self.folds for part in fold
        )

    def hardest_gamma(self) -> float:
        """Return the gamma at which a typical kernel entry is neither near 0 nor near 1.

        That is one over the mean squared distance of two rows, twice the sum of the variances.
        """
        variance = float(np.sum(np.var(self.prepared(0).A, axis=0)))
        return 1 / (2 * variance) if variance > 0 else 1.0

    def prepared(self, fold: int) -> "Prepared":
        """Fit the transformer on a fold's training rows and return both of its parts."""
        training, test = self.folds[fold]
        fitted = clone(self.transformer).fit(self.X[training], self.y[training])
        A, B = (np.ascontiguousarray(fitted.transform(self.X[part])) for part in (training, test))
        y, positives = self.y[training], (1,) if self.n_classes == 2 else range(self.n_classes)
        targets = tuple(Target.of(y == positive) for positive in positives)
        return Prepared(A, B, self.y[test], targets)


class Target(NamedTuple):
    """The task of one SVM of a fold: y is 1 for its class, else 0, as double `[n]`.

    `balance` are the weights that make both values weigh alike `[2]`.
    """

    y: Array
    balance: Array

    @classmethod
    def of(cls, is_positive: npt.NDArray[np.bool_]) -> "Target":
        counts = np.maximum(np.bincount(is_positive, minlength=2), 1)
        return cls(is_positive.astype(np.float64), len(is_positive) / (2 * counts))


class Prepared(NamedTuple):
    """A fold behind its transformer: A `[n, k]` is trained on, B `[m, k]` is scored.

    There is a target for each of the SVMs that a candidate consists of.
    """

    A: Array
    B: Array
    y_test: Labels
    targets: tuple[Target, ...]
