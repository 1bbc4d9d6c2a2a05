"""Probabilities from the decision values of rows that an SVM was not fitted on.

Platt's sigmoid (1999), with his smoothed targets, fitted by Newton's method (Lin, Lin and Weng
2007). Several at once, since each candidate of a search needs one for every fold.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

SMALLEST_SPREAD = 1e-12  # of the largest decision value; below, values differ by noise
RIDGE = 1e-12  # keeps the Hessian invertible where all decision values are equal
MOST_STEPS, MOST_HALVINGS = 100, 30
SMALL_GRADIENT = 1e-10  # for each row


class Sigmoid(NamedTuple):
    """The probability of the positive class is `expit(slope f + offset)`."""

    slope: float
    offset: float

    def probability(self, decisions: Array) -> Array:
        return np.asarray(expit(self.slope * decisions + self.offset))


class Fold(NamedTuple):
    """The rows that a fold scored: decision values and labels, and which repeat it belongs to."""

    decisions: Array
    y: Labels
    repeat: int


def mean_and_scale(values: Array) -> tuple[float, float]:
    """Return what standardises decision values: their mean and deviation, 1 if they are constant.

    SVMs of other folds differ in offset and scale: if C is small and every coefficient is at it, by
    as much as the values spread. With mean 0 and deviation 1 on the rows that each was fitted on,
    one sigmoid fits them all.
    """
    spread = float(values.std())
    is_constant = spread <= SMALLEST_SPREAD * float(np.abs(values).max())
    return float(values.mean()), 1.0 if is_constant else spread


def fit_sigmoid(folds: Sequence[Fold]) -> Sigmoid:
    """Fit one sigmoid to the rows of all folds; a row counts once, however often it was scored."""
    decisions, y = _joined(folds)
    repeats = len({fold.repeat for fold in folds})
    weights = np.full((1, len(y)), 1 / repeats)
    (slope,), (offset,) = _fit(decisions, y, weights)
    return Sigmoid(float(slope), float(offset))


def cross_fitted(folds: Sequence[Fold], *, in_time: bool = False) -> tuple[Labels, Array]:
    """Return rows' labels and probabilities, by a sigmoid fitted to other folds of their repeat.

    Both are in the order of the folds `[rows]`. With `in_time` the others are the earlier folds,
    and the rows of the first fold, which has none, are left out.
    """
    labels, probabilities = [], []
    for repeat in dict.fromkeys(fold.repeat for fold in folds):
        ours = [fold for fold in folds if fold.repeat == repeat]
        decisions, y = _joined(ours)
        numbers = np.arange(len(ours))
        of_fold = np.repeat(numbers, [len(fold.y) for fold in ours])
        compare = np.less if in_time else np.not_equal
        is_other = np.asarray(compare(of_fold, numbers[:, np.newaxis]))
        slope, offset = _fit(decisions, y, is_other.astype(np.float64))
        has_others = np.asarray(is_other.any(axis=1))[of_fold]
        probability = expit(slope[of_fold] * decisions + offset[of_fold])
        labels.append(y[has_others])
        probabilities.append(probability[has_others])
    return np.concatenate(labels), np.concatenate(probabilities)


def _joined(folds: Sequence[Fold]) -> tuple[Array, Labels]:
    decisions = np.concatenate([fold.decisions for fold in folds])
    return decisions, np.concatenate([fold.y for fold in folds])


def _fit(values: Array, y: Labels, weights: Array) -> tuple[Array, Array]:
    """Return slopes and offsets `[fits]` for each row of weights `[fits, rows]`."""
    positives, negatives = weights @ (y == 1), weights @ (y == 0)
    target = np.where(
        y == 1,
        ((positives + 1) / (positives + 2))[:, np.newaxis],
        (1 / (negatives + 2))[:, np.newaxis],
    )
    slope, offset = np.zeros(len(weights)), np.log((positives + 1) / (negatives + 1))
    loss = _loss(slope, offset, values, target, weights)
    for _ in range(MOST_STEPS):
        p = expit(slope[:, np.newaxis] * values + offset[:, np.newaxis])
        residual, curvature = weights * (p - target), weights * p * (1 - p)
        gradient = residual @ values, residual.sum(axis=1)
        if np.abs(gradient).max() <= SMALL_GRADIENT * len(y):
            break
        step = _newton_step(gradient, curvature, values)
        slope, offset, moved = _descend(slope, offset, loss, step, (values, target, weights))
        if not np.any(moved < loss):
            break
        loss = moved
    return slope, offset


def _newton_step(
    gradient: tuple[Array, Array], curvature: Array, values: Array
) -> tuple[Array, Array]:
    """Solve the systems of two unknowns, `[[a, b], [b, c]] step = −gradient`."""
    a = curvature @ (values * values) + RIDGE
    b, c = curvature @ values, curvature.sum(axis=1) + RIDGE
    determinant = a * c - b * b
    g, h = gradient
    return (b * h - c * g) / determinant, (b * g - a * h) / determinant


def _descend(
    slope: Array,
    offset: Array,
    loss: Array,
    step: tuple[Array, Array],
    data: tuple[Array, Array, Array],
) -> tuple[Array, Array, Array]:
    """Take the steps, each halved until its loss falls; one that cannot fall is not taken."""
    length = np.ones_like(slope)
    for _ in range(MOST_HALVINGS):
        moved = _loss(slope + length * step[0], offset + length * step[1], *data)
        rises = ~(moved <= loss)
        if not rises.any():
            break
        length[rises] /= 2
    else:
        length[rises] = 0.0
        moved = np.where(rises, loss, moved)
    return slope + length * step[0], offset + length * step[1], moved


def _loss(slope: Array, offset: Array, values: Array, target: Array, weights: Array) -> Array:
    logit = slope[:, np.newaxis] * values + offset[:, np.newaxis]
    return np.asarray((weights * (np.logaddexp(0, logit) - target * logit)).sum(axis=1))
