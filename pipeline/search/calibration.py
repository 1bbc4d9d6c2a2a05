"""Probabilities from the decision values of rows that an SVM was not fitted on.

Platt's sigmoid (1999), with his smoothed targets, fitted by Newton's method (Lin, Lin and Weng
2007). Several at once, since each candidate of a search needs one for every fold.

Of more than two classes each has a sigmoid for its SVM against the rest; the probabilities are
divided by their sum (Zadrozny and Elkan 2002).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, softmax

from pipeline.evaluation.metrics import one_vs_rest
from pipeline.search.problem import side_by_side

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
    """The rows that a fold scored: decision values and labels, and which repeat it belongs to.

    Of two classes the values are `[rows]`, of more `[rows, classes]`.
    """

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


def fit_sigmoids(folds: Sequence[Fold]) -> tuple[Sigmoid, ...]:
    """Fit the sigmoid of each SVM: one for two classes, else one for each class."""
    return tuple(fit_sigmoid(of_svm) for of_svm in _of_each_svm(folds))


def probabilities(logits: Array) -> Array:
    """Return the probabilities of the positive class `[rows]`, or of all `[rows, classes]`.

    In the logarithm, since the sigmoids of a row may all be 0 in double precision.
    """
    return np.asarray(expit(logits) if logits.ndim == 1 else softmax(log_expit(logits), axis=1))


def cross_fitted(folds: Sequence[Fold], *, in_time: bool = False) -> tuple[Labels, Array]:
    """Return rows' labels and probabilities, by sigmoids fitted to other folds of their repeat.

    Both are in the order of the folds: labels `[rows]`, probabilities as of `probabilities`. With
    `in_time` the others are the earlier folds, and the rows of the first fold, which has none, are
    left out.
    """
    labels, found = [], []
    for repeat in dict.fromkeys(fold.repeat for fold in folds):
        ours = [fold for fold in folds if fold.repeat == repeat]
        numbers = np.arange(len(ours))
        of_fold = np.repeat(numbers, [len(fold.y) for fold in ours])
        compare = np.less if in_time else np.not_equal
        is_other = np.asarray(compare(of_fold, numbers[:, np.newaxis]))
        has_others = np.asarray(is_other.any(axis=1))[of_fold]
        logits = [_logits(of_svm, of_fold, is_other) for of_svm in _of_each_svm(ours)]
        labels.append(np.concatenate([fold.y for fold in ours])[has_others])
        found.append(probabilities(side_by_side(logits))[has_others])
    return np.concatenate(labels), np.concatenate(found)


def _logits(folds: Sequence[Fold], of_fold: Labels, is_other: npt.NDArray[np.bool_]) -> Array:
    """Return an SVM's logits `[rows]`, by a sigmoid fitted to the other folds of each fold."""
    decisions, y = _joined(folds)
    slope, offset = _fit(decisions, y, is_other.astype(np.float64))
    return slope[of_fold] * decisions + offset[of_fold]


def _of_each_svm(folds: Sequence[Fold]) -> list[Sequence[Fold]]:
    """Return the folds as each SVM sees them: its own decision values, and labels 0 or 1."""
    if folds[0].decisions.ndim == 1:
        return [folds]
    of_each = [
        [
            Fold(np.asarray(values, dtype=np.float64), y, fold.repeat)
            for y, values in one_vs_rest(fold.y, fold.decisions)
        ]
        for fold in folds
    ]
    return [*zip(*of_each, strict=True)]


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
