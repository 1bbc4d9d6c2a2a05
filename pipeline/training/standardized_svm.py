"""An SVM whose decision values can be compared with those of the same SVM on other rows."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

Array = npt.NDArray[np.float64]
SMALLEST_SPREAD = 1e-12  # of the largest decision value; below, values differ by noise


class StandardizedSVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Standardise a two-class SVM's decision values by those of its own training rows.

    Platt's sigmoid is fitted on the decision values of the folds' SVMs and then applied to the SVM
    of all rows. These SVMs differ in offset and scale: if C is small and every coefficient is at
    it, by as much as the values spread, and the mean prediction was off by up to 0.16. With mean 0
    and deviation 1 on the rows that each was fitted on, one sigmoid fits them all.
    """

    def __init__(self, svm: Any) -> None:
        self.svm = svm

    def fit(self, X: Array, y: npt.NDArray[Any]) -> Self:
        self.svm_ = clone(self.svm).fit(X, y)
        self.classes_ = self.svm_.classes_
        values = self.svm_.decision_function(X)
        self.mean_ = float(values.mean())
        spread = float(values.std())
        is_constant = spread <= SMALLEST_SPREAD * float(np.abs(values).max())
        self.scale_ = 1.0 if is_constant else spread
        return self

    def decision_function(self, X: Array) -> Array:
        standardized: Array = (self.svm_.decision_function(X) - self.mean_) / self.scale_
        return standardized

    def predict(self, X: Array) -> npt.NDArray[Any]:
        labels: npt.NDArray[Any] = self.svm_.predict(X)
        return labels
