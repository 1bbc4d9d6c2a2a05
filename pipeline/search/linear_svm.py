"""A linear SVM with squared hinge loss, solved in the primal by Newton's method.

Chapelle 2007, "Training a Support Vector Machine in the Primal". The objective is the one of
scikit-learn's `LinearSVC`, `½‖w‖² + Σ Cᵢ max(0, 1 − yᵢ w·xᵢ)²` with a column of ones for the
intercept, and so is the solution; Cᵢ is C times the weight of the row's class. liblinear takes
hundreds of passes over the rows where C is large; a Newton step is one matrix product, and the
solution for one C is a good start for the next.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted, validate_data

Array = npt.NDArray[np.float64]

MOST_STEPS = 100
BLOCK = 4096  # rows whose products are added up at once: their copy stays small


def with_ones(Z: Array) -> Array:
    """Return Z `[n, m]` with a column of ones behind it, for the intercept."""
    extended = np.ones((len(Z), Z.shape[1] + 1))
    extended[:, :-1] = Z
    return extended


def path(Z: Array, y: Array, penalties: Iterable[Array]) -> Iterator[Array]:
    """Solve for one penalty of the rows `[n]` after the other, each from where the last one ended.

    Z is `[n, m]` with ones in its last column, y −1 or 1 `[n]`; the weights are `[m]`.
    """
    w = np.zeros(Z.shape[1])
    for C in penalties:
        w = solve(Z, y, C, w)
        yield w


def solve(Z: Array, y: Array, C: Array, start: Array) -> Array:
    """Return the weights `[m]` at the minimum of the objective; `C` is each row's `[n]`."""
    w = start
    margin = 1 - y * (Z @ w)
    for _ in range(MOST_STEPS):
        active = margin > 0
        gradient = w - 2 * (Z.T @ np.where(active, C * y * margin, 0.0))
        hessian = 2 * _gram(Z, np.where(active, C, 0.0))
        hessian[np.diag_indices_from(hessian)] += 1
        step = -cho_solve(cho_factor(hessian, overwrite_a=True, check_finite=False), gradient)
        w, moved, whole = _descend(w, margin, step, -y * (Z @ step), C, float(gradient @ step))
        settled = whole and np.array_equal(moved > 0, active)
        margin = moved
        # Where no row changes sides the quadratic is the objective, and its minimum is reached.
        if settled or -float(gradient @ step) <= 1e-14 * (1 + _objective(w, margin, C)):
            break
    return w


def _gram(Z: Array, weights: Array) -> Array:
    """Add up the outer products of the rows that weigh something, in blocks."""
    total = np.zeros((Z.shape[1], Z.shape[1]))
    for first in range(0, len(Z), BLOCK):
        weight = weights[first : first + BLOCK]
        rows = Z[first : first + BLOCK][weight > 0]
        total += (rows * weight[weight > 0, np.newaxis]).T @ rows
    return total


def _descend(
    w: Array, margin: Array, step: Array, change: Array, C: Array, slope: float
) -> tuple[Array, Array, bool]:
    """Take the step, halved until the objective falls enough (Armijo's rule)."""
    before = _objective(w, margin, C)
    length = 1.0
    while length > 1e-10:
        moved = margin + length * change
        if _objective(w + length * step, moved, C) <= before + 1e-4 * length * slope:
            return w + length * step, moved, length == 1.0
        length /= 2
    return w, margin, True


def _objective(w: Array, margin: Array, C: Array) -> float:
    return float(0.5 * (w @ w) + C @ np.square(np.maximum(margin, 0)))


class PrimalSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The solver as a classifier of scikit-learn's, for two classes."""

    def __init__(self, C: float = 1.0, class_weight: Literal["balanced"] | None = None) -> None:
        self.C, self.class_weight = C, class_weight

    def fit(self, X: Array, y: npt.NDArray[Any]) -> "PrimalSVC":
        X = validate_data(self, X, dtype=np.float64)
        self.classes_, index = np.unique(y, return_inverse=True)
        signs = np.where(index == 1, 1.0, -1.0)
        weights = compute_class_weight(self.class_weight, classes=np.array([0, 1]), y=index)
        w = solve(with_ones(X), signs, self.C * weights[index], np.zeros(X.shape[1] + 1))
        self.coef_, self.intercept_ = w[np.newaxis, :-1], w[-1:]
        return self

    def decision_function(self, X: Array) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(X @ self.coef_[0] + self.intercept_[0])

    def predict(self, X: Array) -> npt.NDArray[Any]:
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])
