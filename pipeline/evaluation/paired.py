"""Whether two models differ on the same rows: in ROC AUC, or in the mean of a loss."""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from pipeline.evaluation.bootstrap import Bootstrap, paired_roc_auc_interval
from pipeline.evaluation.delong import PairedDifference, paired_roc_auc_difference
from pipeline.evaluation.metrics import Array, Labels, log_losses, squared_errors


class MeanDifference(NamedTuple):
    """The mean loss of one model minus that of another on the same rows; below 0 it is better."""

    difference: float
    low: float
    high: float
    standard_error: float


def roc_auc_difference(y: Labels, a: Array, b: Array, bootstrap: Bootstrap) -> PairedDifference:
    """Compare two ROC AUCs on the same rows: by DeLong, or by the bootstrap for several classes.

    Raises ValueError where a class has no row.
    """
    if a.ndim == 1:
        return paired_roc_auc_difference(y, a, b, confidence=bootstrap.confidence)
    return paired_roc_auc_interval(y, a, b, bootstrap)


def paired_brier_difference(y: Labels, a: Array, b: Array, confidence: float) -> MeanDifference:
    """Compare two Brier scores on the same rows."""
    return _paired(squared_errors(y, a), squared_errors(y, b), confidence)


def paired_log_loss_difference(y: Labels, a: Array, b: Array, confidence: float) -> MeanDifference:
    """Compare two log losses on the same rows."""
    return _paired(log_losses(y, a), log_losses(y, b), confidence)


def _paired(a: Array, b: Array, confidence: float) -> MeanDifference:
    """Compare by the rows' differences; the interval is normal, with the error of a mean."""
    differences = a - b
    difference = float(differences.mean())
    error = float(differences.std(ddof=1)) / sqrt(len(differences))
    half_width = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return MeanDifference(difference, difference - half_width, difference + half_width, error)
