"""A search problem: a table, its folds, and the fit of a candidate on one of them."""

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


@dataclass(frozen=True)
class Nystroem:
    """The approximation of the kernel by `components` of the training rows."""

    components: int
    seed: int


@dataclass(frozen=True)
class Problem:
    """A search: X is `[rows, features]`, y 0 or 1, a fold gives its training and its test rows.

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
    def shape(self) -> Shape:
        """Return the size of the largest fold."""
        training = max(len(fold[0]) for fold in self.folds)
        test = max(len(fold[1]) for fold in self.folds)
        components = self.approximation.components if self.approximation else None
        return Shape(len(self.folds), training, test, self.X.shape[1], components)

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

    def has_both_classes(self) -> bool:
        """True if every fold has rows of both classes to train on, and to score."""
        return all(
            len(part) and 0 < self.y[part].mean() < 1 for fold in self.folds for part in fold
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
        y = self.y[training]
        counts = np.maximum(np.bincount(y, minlength=2), 1)
        balance = len(y) / (2 * counts)
        return Prepared(A, B, y.astype(np.float64), self.y[test], balance)


class Prepared(NamedTuple):
    """A fold behind its transformer: A `[n, k]` is trained on, B `[m, k]` is scored.

    `balance` are the weights of the classes that make both weigh alike `[2]`.
    """

    A: Array
    B: Array
    y_training: Array
    y_test: Labels
    balance: Array
