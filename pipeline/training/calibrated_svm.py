"""SVMs whose decision values are standardised, and turned into probabilities by sigmoids."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from pipeline.search.calibration import Sigmoid, mean_and_scale, probabilities

Array = npt.NDArray[np.float64]


class CalibratedSVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A two-class SVM, or one for each class against the rest, with probabilities.

    Decision values are standardised by those of an SVM's own training rows, as were those that its
    sigmoid was fitted on: of SVMs of the same kind, fitted on other rows.
    """

    def __init__(self, svm: Any, sigmoids: tuple[Sigmoid, ...]) -> None:
        self.svm, self.sigmoids = svm, sigmoids

    def fit(self, X: Array, y: npt.NDArray[Any]) -> Self:
        self.svm_ = clone(self.svm).fit(X, y)
        self.classes_ = self.svm_.classes_
        of_each_svm = np.atleast_2d(self.svm_.decision_function(X).T)
        self.mean_, self.scale_ = np.transpose([mean_and_scale(values) for values in of_each_svm])
        return self

    def decision_function(self, X: Array) -> Array:
        """Return the standardised decision values `[rows]`, or for each class `[rows, classes]`."""
        standardized: Array = (self.svm_.decision_function(X) - self.mean_) / self.scale_
        return standardized

    def predict_proba(self, X: Array) -> Array:
        slopes, offsets = np.transpose(self.sigmoids)
        found = probabilities(slopes * self.decision_function(X) + offsets)
        return found if found.ndim == 2 else np.column_stack([1 - found, found])

    def predict(self, X: Array) -> npt.NDArray[Any]:
        p = self.predict_proba(X)
        best = p[:, 1] >= 0.5 if p.shape[1] == 2 else p.argmax(axis=1)
        return np.asarray(self.classes_[best.astype(int)])
