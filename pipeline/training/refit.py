"""Fit the winner again on all training rows."""

from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline

from pipeline.data.table import Table
from pipeline.evaluation.metrics import best_threshold
from pipeline.training.estimator import build_estimator, stratified_folds
from pipeline.training.tuning import Search, approximation, job_count


@dataclass(frozen=True)
class Refit:
    """The winner fitted on all training rows, and what it said of rows that it had not seen."""

    estimator: Pipeline
    out_of_fold: npt.NDArray[np.float64]
    threshold: float


def refit(search: Search, table: Table, winner: "pd.Series[Any]") -> Refit:
    """Calibrate and fit the winner, and choose the decision threshold on unseen rows."""
    settings, seed = search.settings, search.seed
    estimator = build_estimator(
        table.contract,
        C=winner["param_C"],
        gamma=winner["param_gamma"],
        n_folds=settings.folds,
        seed=seed,
        approximation=approximation(settings, seed),
    )
    folds = stratified_folds(settings.folds, seed)
    # As in the search, threads suffice: libsvm releases the interpreter's lock.
    with joblib.parallel_config(backend="threading", n_jobs=job_count(search)):
        out_of_fold = cross_val_predict(
            estimator, table.X, table.y, cv=folds, method="predict_proba"
        )[:, 1]
        fitted = estimator.fit(table.X, table.y)
    threshold = best_threshold(table.y, out_of_fold, settings.threshold)
    return Refit(fitted, out_of_fold, threshold)
