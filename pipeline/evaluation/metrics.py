"""Metrics of predictions: arrays in, figures out."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Labels = npt.NDArray[np.int64]
Array = npt.NDArray[np.floating[Any]]
SCORE_NAMES = {"roc_auc": "ROC AUC", "average_precision": "average precision"}  # of a search
ONE_SIDED_95 = 1.645  # standard deviations that 95 % of a normal distribution stay below
CHUNK = 2_000_000  # cells of a block of bootstrap weights: 16 MB


def format_metric(value: float | None, missing: str = "-") -> str:
    """Return a metric to four decimals, a whole number as one, a tiny figure to three digits."""
    if value is None or np.isnan(value):
        return missing
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.4f}" if abs(value) >= 0.001 else f"{value:.3g}"


def roc_auc(y: Labels, scores: Array) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    Equal scores count one half (Mann and Whitney 1947).
    """
    ones = np.ones((1, len(y)))
    return float(_weighted_roc_auc(y, scores, ones)[0])


def roc_auc_interval(
    y: Labels, scores: Array, *, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the ROC AUC, each class resampled on its own.

    (Efron and Tibshirani 1993, chapter 13; stratified, so that no resample lacks a class.)
    """
    rng = np.random.default_rng(seed)
    block = max(1, CHUNK // len(y))
    areas = [
        _weighted_roc_auc(y, scores, _bootstrap_weights(rng, y, min(block, resamples - start)))
        for start in range(0, resamples, block)
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(areas), [tail, 1 - tail])
    return float(low), float(high)


def average_precision(y: Labels, scores: Array) -> float:
    """Return the area under the precision-recall steps, `Σ (Rₙ − Rₙ₋₁) Pₙ`."""
    _, tp, fp = cumulative_counts(y, scores)
    return float(np.sum(np.diff(tp / tp[-1], prepend=0.0) * tp / (tp + fp)))


def brier(y: Labels, probability: Array) -> float:
    """Return the mean squared distance of the probability from what came true (Brier 1950)."""
    return float(np.mean((probability - y) ** 2))


def bias(y: Labels, probability: Array) -> tuple[float, float]:
    """Return how far the mean probability is above the share of positives, and its standard error.

    The error is that of the mean of the rows' differences.
    """
    differences = probability - y
    error = differences.std(ddof=1) / np.sqrt(len(y)) if len(y) > 1 else np.inf
    return float(differences.mean()), float(error)


def log_loss(y: Labels, probability: Array) -> float:
    """Return the mean negative log-likelihood, probabilities kept one rounding step off 0 and 1."""
    return float(np.mean(log_losses(y, probability)))


def log_losses(y: Labels, probability: Array) -> Array:
    """Return each row's negative log-likelihood `[rows]`, as `log_loss` takes their mean."""
    step = float(np.finfo(np.float64).eps)
    p = np.clip(probability, step, 1 - step)
    return -np.where(y == 1, np.log(p), np.log1p(-p))


def calibration_curve(y: Labels, probability: Array, bins: int) -> pd.DataFrame:
    """Return rows, mean probability and share of positives for each filled bin of equal width."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    frame = pd.DataFrame({"bin": index, "predicted": probability, "observed": y})
    grouped = frame.groupby("bin")
    curve = grouped.mean()
    curve.insert(0, "rows", grouped.size())
    return curve.reset_index()


def expected_calibration_error(curve: pd.DataFrame) -> float:
    """Return the mean gap between predicted and observed, bins weighted by their rows.

    (Naeini, Cooper and Hauskrecht 2015.)
    """
    gaps = (curve["predicted"] - curve["observed"]).abs()
    return float(np.average(gaps, weights=curve["rows"]))


def chance_calibration_error(probability: Array, bins: int) -> float:
    """Return what the calibration error of honest probabilities stays below, 95 times of 100.

    Each bin's gap is about a half-normal variable, by the central limit theorem: mean √(2/π) and
    variance 1 − 2/π of its standard error, which the probabilities give as Σ p (1 − p).
    """
    index = np.minimum((probability * bins).astype(int), bins - 1)
    variance = np.bincount(index, weights=probability * (1 - probability)) / len(probability) ** 2
    mean = np.sqrt(2 / np.pi) * np.sqrt(variance).sum()
    deviation = np.sqrt((1 - 2 / np.pi) * variance.sum())
    return float(mean + ONE_SIDED_95 * deviation)


def confusion(y: Labels, label: Labels) -> dict[str, int]:
    """Count true and false positives and negatives."""
    return {
        "true_positives": int(np.sum((y == 1) & (label == 1))),
        "false_positives": int(np.sum((y == 0) & (label == 1))),
        "true_negatives": int(np.sum((y == 0) & (label == 0))),
        "false_negatives": int(np.sum((y == 1) & (label == 0))),
    }


def rates(counts: dict[str, int]) -> dict[str, float]:
    """Derive the rates of a confusion matrix; one without a denominator is 0."""
    tp, fp = counts["true_positives"], counts["false_positives"]
    tn, fn = counts["true_negatives"], counts["false_negatives"]
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    return {
        "accuracy": _ratio(tp + tn, tp + tn + fp + fn),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
    }


def roc_curve(y: Labels, scores: Array) -> pd.DataFrame:
    """Return false and true positive rates as the threshold falls, from (0, 0) to (1, 1)."""
    threshold, tp, fp = cumulative_counts(y, scores)
    return pd.DataFrame(
        {
            "threshold": np.concatenate([[np.inf], threshold]),
            "false_positive_rate": np.concatenate([[0.0], fp / fp[-1]]),
            "true_positive_rate": np.concatenate([[0.0], tp / tp[-1]]),
        }
    )


def precision_recall_curve(y: Labels, scores: Array) -> pd.DataFrame:
    """Return precision and recall at every threshold, as it falls."""
    threshold, tp, fp = cumulative_counts(y, scores)
    return pd.DataFrame(
        {"threshold": threshold, "precision": tp / (tp + fp), "recall": tp / tp[-1]}
    )


def cumulative_counts(y: Labels, scores: Array) -> tuple[Array, Array, Array]:
    """Return the distinct scores, falling, with the positives and negatives at or above each."""
    threshold, group = np.unique(-np.asarray(scores, dtype=np.float64), return_inverse=True)
    tp = np.cumsum(np.bincount(group, weights=y == 1)).astype(np.float64)
    fp = np.cumsum(np.bincount(group, weights=y == 0)).astype(np.float64)
    return -threshold, tp, fp


def _weighted_roc_auc(y: Labels, scores: Array, weights: Array) -> Array:
    """Return the area for each row of weights `[resamples, rows]`, sorting the scores only once."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    sorted_weights, positive = weights[:, order], y[order] == 1
    positives = np.add.reduceat(sorted_weights * positive, starts, axis=1)
    negatives = np.add.reduceat(sorted_weights * ~positive, starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return np.asarray((positives * (below + negatives / 2)).sum(axis=1) / pairs)


def _bootstrap_weights(rng: np.random.Generator, y: Labels, resamples: int) -> Array:
    weights = np.zeros((resamples, len(y)))
    for label in (0, 1):
        rows = np.flatnonzero(y == label)
        weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), resamples)
    return weights


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
