"""Intervals of the ROC AUC by resampling the rows (Efron and Tibshirani 1993, chapter 13).

Each class is resampled on its own, so that no resample lacks one. Several classes have the macro
mean of the ROC AUC of each against the rest.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.evaluation.delong import PairedDifference
from pipeline.evaluation.metrics import Array, Labels, one_vs_rest, roc_auc, weighted_roc_auc
from pipeline.params import Evaluate

CHUNK = 2_000_000  # cells of a block of bootstrap weights: 16 MB


class Bootstrap(NamedTuple):
    """How intervals are found: their confidence, from how many resamples, of which seed."""

    confidence: float
    resamples: int
    seed: int

    @classmethod
    def of(cls, settings: Evaluate, seed: int) -> "Bootstrap":
        return cls(settings.confidence, settings.resamples, seed)


def roc_auc_interval(y: Labels, scores: Array, bootstrap: Bootstrap) -> tuple[float, float]:
    """Return the percentile interval of the ROC AUC."""
    areas = [_areas(y, scores, weights) for weights in _blocks(y, bootstrap)]
    return _percentiles(np.concatenate(areas), bootstrap.confidence)


def paired_roc_auc_interval(
    y: Labels, a: Array, b: Array, bootstrap: Bootstrap
) -> PairedDifference:
    """Compare the macro ROC AUCs of two models `[rows, classes]` on the same resampled rows.

    `p` is two-sided, from how many resamples are on the other side of 0. Scores of the same order
    differ by exactly 0, with p = 1. A class of one row tells nothing of its spread: then the
    interval is all of -1 to 1, and p = 1.

    Raises ValueError where a class has no row.
    """
    counts = np.bincount(y, minlength=a.shape[1])
    if not counts.min():
        raise ValueError("a macro ROC AUC needs rows of every class")
    difference = roc_auc(y, a) - roc_auc(y, b)
    if counts.min() == 1:
        return PairedDifference(difference, -1.0, 1.0, 1.0)
    found = np.concatenate(
        [_areas(y, a, weights) - _areas(y, b, weights) for weights in _blocks(y, bootstrap)]
    )
    low, high = _percentiles(found, bootstrap.confidence)
    beyond = 1 + min(np.sum(found <= 0), np.sum(found >= 0))  # one more: p is never 0
    return PairedDifference(difference, low, high, min(1.0, 2 * float(beyond) / (1 + len(found))))


def _areas(y: Labels, scores: Array, weights: Array) -> Array:
    """Return the ROC AUC of each resample `[resamples]`."""
    if scores.ndim == 1:
        return weighted_roc_auc(y, scores, weights)
    areas = [weighted_roc_auc(*against_rest, weights) for against_rest in one_vs_rest(y, scores)]
    return np.asarray(np.mean(areas, axis=0))


def _blocks(y: Labels, bootstrap: Bootstrap) -> Iterator[Array]:
    """Return how often each resample has each row, a block of resamples `[block, rows]` at once."""
    rng = np.random.default_rng(bootstrap.seed)
    block = max(1, CHUNK // len(y))
    for start in range(0, bootstrap.resamples, block):
        yield _weights(rng, y, min(block, bootstrap.resamples - start))


def _weights(rng: np.random.Generator, y: Labels, resamples: int) -> Array:
    weights = np.zeros((resamples, len(y)))
    for number in np.unique(y):
        rows = np.flatnonzero(y == number)
        weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), resamples)
    return weights


def _percentiles(values: Array, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
