"""Whether two models that scored the same rows differ: arrays in, a difference out."""

from math import erfc, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.evaluation.metrics import Array, Labels


class PairedDifference(NamedTuple):
    """The ROC AUC of one model minus that of another, on the same rows.

    `p` is two-sided: how often a difference as large comes of chance where there is none.
    """

    difference: float
    low: float
    high: float
    p: float


def paired_roc_auc_difference(
    y: Labels, scores_a: Array, scores_b: Array, *, confidence: float
) -> PairedDifference:
    """Compare two ROC AUCs on the same rows `[rows]`, whose scores are correlated.

    DeLong, DeLong and Clarke-Pearson 1988, from midranks in O(n log n) as Sun and Xu 2014 do it.
    Scores of the same order differ by exactly 0, with p = 1. A class of one row tells nothing of
    its spread: then the interval is all of -1 to 1, and p = 1.

    Raises ValueError where a class has no row.
    """
    positives, negatives = int(np.sum(y == 1)), int(np.sum(y == 0))
    if not positives or not negatives:
        raise ValueError("a ROC AUC needs rows of both classes")
    of_positives, of_negatives = (
        a - b for a, b in zip(_pairs_won(y, scores_a), _pairs_won(y, scores_b), strict=True)
    )
    difference = float(of_positives.sum()) / (positives * negatives)
    if min(positives, negatives) == 1:
        return PairedDifference(difference, -1.0, 1.0, 1.0)
    # Each class's pairs are whole or half numbers until here, so that no difference is exactly 0.
    variance = float(
        np.var(of_positives / negatives, ddof=1) / positives
        + np.var(of_negatives / positives, ddof=1) / negatives
    )
    half_width = NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(variance)
    low, high = max(-1.0, difference - half_width), min(1.0, difference + half_width)
    return PairedDifference(difference, low, high, _two_sided(difference, sqrt(variance)))


def roc_auc_error(y: Labels, scores: Array) -> float:
    """Return the standard error of a ROC AUC (DeLong 1988); infinite where a class has one row."""
    positives, negatives = int(np.sum(y == 1)), int(np.sum(y == 0))
    if min(positives, negatives) < 2:
        return float("inf")
    below, above = _pairs_won(y, scores)
    variance = np.var(below / negatives, ddof=1) / positives
    return float(np.sqrt(variance + np.var(above / positives, ddof=1) / negatives))


def format_p(p: float) -> str:
    return f"{p:.2g}" if p >= 0.0001 else "below 0.0001"


def _midranks(scores: Array) -> Array:
    # Not scipy.stats' rankdata: to import it takes longer than all the rest of `register`'s gates.
    return pd.Series(scores).rank().to_numpy()


def _pairs_won(y: Labels, scores: Array) -> tuple[Array, Array]:
    """Return each positive's and each negative's pairs that are ranked right; ties count half."""
    rank, positive = _midranks(scores), y == 1
    below = rank[positive] - _midranks(scores[positive])
    above = np.sum(positive) - (rank[~positive] - _midranks(scores[~positive]))
    return below, above


def _two_sided(difference: float, error: float) -> float:
    if difference == 0:
        return 1.0
    return erfc(abs(difference) / error / sqrt(2)) if error else 0.0
