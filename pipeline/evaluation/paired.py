"""Whether two models differ in the mean of a loss, on the same rows."""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from pipeline.evaluation.metrics import Array, Labels, log_losses


class MeanDifference(NamedTuple):
    """The mean loss of one model minus that of another on the same rows; below 0 it is better."""

    difference: float
    low: float
    high: float
    standard_error: float


def paired_brier_difference(y: Labels, a: Array, b: Array, confidence: float) -> MeanDifference:
    """Compare two Brier scores on the same rows `[rows]`."""
    return _paired((a - y) ** 2, (b - y) ** 2, confidence)


def paired_log_loss_difference(y: Labels, a: Array, b: Array, confidence: float) -> MeanDifference:
    """Compare two log losses on the same rows `[rows]`."""
    return _paired(log_losses(y, a), log_losses(y, b), confidence)


def _paired(a: Array, b: Array, confidence: float) -> MeanDifference:
    """Compare by the rows' differences; the interval is normal, with the error of a mean."""
    differences = a - b
    difference = float(differences.mean())
    error = float(differences.std(ddof=1)) / sqrt(len(differences))
    half_width = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return MeanDifference(difference, difference - half_width, difference + half_width, error)
