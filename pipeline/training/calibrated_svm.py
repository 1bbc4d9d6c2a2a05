"""An SVM whose decision values are standardised, and turned into probabilities by a sigmoid."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from pipeline.search.calibration import Sigmoid, mean_and_scale

Array = npt.NDArray[np.float64]


class CalibratedSVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A two-class SVM with probabilities.

    Its decision values are standardised by those of its own training rows, as were those that the
    sigmoid was fitted on: of SVMs of the same kind, fitted on other rows.
    """

    def __init__(self, svm: Any, sigmoid: Sigmoid) -> None:
        self.svm, self.sigmoid = svm, sigmoid

    def fit(self, X: Array, y: npt.NDArray[Any]) -> Self:
        self.svm_ = clone(self.svm).fit(X, y)
        self.classes_ = self.svm_.classes_
        self.mean_, self.scale_ = mean_and_scale(self.svm_.decision_function(X))
        return self

    def decision_function(self, X: Array) -> Array:
        standardized: Array = (self.svm_.decision_function(X) - self.mean_) / self.scale_
        return standardized

    def predict_proba(self, X: Array) -> Array:
        positive = self.sigmoid.probability(self.decision_function(X))
        return np.column_stack([1 - positive, positive])

    def predict(self, X: Array) -> npt.NDArray[Any]:
        return np.asarray(self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)])
