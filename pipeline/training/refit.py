"""Fit the winner again on all training rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from pipeline.data.table import Table
from pipeline.evaluation.threshold import best_threshold
from pipeline.search.calibration import cross_fitted, fit_sigmoids
from pipeline.training.estimator import build_estimator
from pipeline.training.tuning import Outcome, Search


@dataclass(frozen=True)
class Refit:
    """The winner fitted on all training rows, and what it said of rows that it had not seen.

    Those, with their labels, are in the order of the folds, of all repeats `[rows × repeats]`, for
    more than two classes `[rows × repeats, classes]`. Only two classes have a threshold.
    """

    estimator: Pipeline
    out_of_fold: npt.NDArray[np.float64]
    y: npt.NDArray[np.int64]
    threshold: float | None
    repeats: int

    @property
    def first_repeat(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The labels and probabilities of the first repeat, in which each row is once."""
        rows = len(self.y) // self.repeats
        return self.y[:rows], self.out_of_fold[:rows]


def refit(search: Search, table: Table, outcome: Outcome) -> Refit:
    """Calibrate and fit the winner, and choose the decision threshold on unseen rows."""
    estimator = build_estimator(
        table.contract,
        outcome.winner,
        fit_sigmoids(outcome.folds),
        search.problem.approximation,
    )
    y, out_of_fold = cross_fitted(outcome.folds, in_time=search.problem.in_time)
    threshold, settings = None, search.settings
    if search.problem.n_classes == 2:
        threshold = best_threshold(y, out_of_fold, settings.threshold, settings.cost)
    return Refit(estimator.fit(table.X, table.y), out_of_fold, y, threshold, search.repeats)
