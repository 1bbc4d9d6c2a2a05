"""A linear SVM with squared hinge loss, solved in the primal by Newton's method.

Chapelle 2007, "Training a Support Vector Machine in the Primal". The objective is the one of
scikit-learn's `LinearSVC`, `½‖w‖² + C Σ max(0, 1 − yᵢ w·xᵢ)²` with a column of ones for the
intercept, and so is the solution. liblinear takes hundreds of passes over the rows where C is
large; a Newton step is one matrix product, and the solution for one C is a good start for the next.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Array = npt.NDArray[np.float64]

MOST_STEPS = 100
BLOCK = 4096  # rows whose products are added up at once: their copy stays small


def with_ones(Z: Array) -> Array:
    """Return Z `[n, m]` with a column of ones behind it, for the intercept."""
    extended = np.ones((len(Z), Z.shape[1] + 1))
    extended[:, :-1] = Z
    return extended


def path(Z: Array, y: Array, C: Iterator[float] | tuple[float, ...]) -> Iterator[Array]:
    """Solve for one C after the other, each from where the last one ended.

    Z is `[n, m]` with ones in its last column, y −1 or 1 `[n]`; the weights are `[m]`.
    """
    w = np.zeros(Z.shape[1])
    for c in C:
        w = solve(Z, y, c, w)
        yield w


def solve(Z: Array, y: Array, C: float, start: Array) -> Array:
    """Return the weights `[m]` at the minimum of the objective."""
    w = start
    margin = 1 - y * (Z @ w)
    for _ in range(MOST_STEPS):
        active = margin > 0
        gradient = w - 2 * C * (Z.T @ np.where(active, y * margin, 0.0))
        hessian = 2 * C * _gram(Z, active)
        hessian[np.diag_indices_from(hessian)] += 1
        step = -cho_solve(cho_factor(hessian, overwrite_a=True, check_finite=False), gradient)
        w, moved, whole = _descend(w, margin, step, -y * (Z @ step), C, float(gradient @ step))
        settled = whole and np.array_equal(moved > 0, active)
        margin = moved
        # Where no row changes sides the quadratic is the objective, and its minimum is reached.
        if settled or -float(gradient @ step) <= 1e-14 * (1 + _objective(w, margin, C)):
            break
    return w


def _gram(Z: Array, active: npt.NDArray[np.bool_]) -> Array:
    """Add up the outer products of the active rows, in blocks."""
    total = np.zeros((Z.shape[1], Z.shape[1]))
    for first in range(0, len(Z), BLOCK):
        rows = Z[first : first + BLOCK][active[first : first + BLOCK]]
        total += rows.T @ rows
    return total


def _descend(
    w: Array, margin: Array, step: Array, change: Array, C: float, slope: float
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


def _objective(w: Array, margin: Array, C: float) -> float:
    return float(0.5 * (w @ w) + C * np.sum(np.square(np.maximum(margin, 0))))


class PrimalSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The solver as a classifier of scikit-learn's, for two classes."""

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: Array, y: npt.NDArray[Any]) -> "PrimalSVC":
        X = validate_data(self, X, dtype=np.float64)
        self.classes_, index = np.unique(y, return_inverse=True)
        signs = np.where(index == 1, 1.0, -1.0)
        w = solve(with_ones(X), signs, self.C, np.zeros(X.shape[1] + 1))
        self.coef_, self.intercept_ = w[np.newaxis, :-1], w[-1:]
        return self

    def decision_function(self, X: Array) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(X @ self.coef_[0] + self.intercept_[0])

    def predict(self, X: Array) -> npt.NDArray[Any]:
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])
