"""Intervals of the ROC AUC by resampling the rows (Efron and Tibshirani 1993, chapter 13).

Each class is resampled on its own, so that no resample lacks one. Several classes have the macro
mean of the ROC AUC of each against the rest.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.evaluation.metrics import Array, Labels, one_vs_rest, weighted_roc_auc

CHUNK = 2_000_000  # cells of a block of bootstrap weights: 16 MB


class Bootstrap(NamedTuple):
    """How intervals are found: their confidence, from how many resamples, of which seed."""

    confidence: float
    resamples: int
    seed: int


def roc_auc_interval(y: Labels, scores: Array, bootstrap: Bootstrap) -> tuple[float, float]:
    """Return the percentile interval of the ROC AUC."""
    areas = [_areas(y, scores, weights) for weights in _blocks(y, bootstrap)]
    return _percentiles(np.concatenate(areas), bootstrap.confidence)


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
