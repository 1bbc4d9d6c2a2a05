"""Metrics of predictions: arrays in, figures out.

`y` holds a class's number for each row. Scores and probabilities are those of class 1 `[rows]` if
there are two classes, of each class `[rows, classes]` if there are more.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Labels = npt.NDArray[np.int64]
Array = npt.NDArray[np.floating[Any]]
SCORE_NAMES = {"roc_auc": "ROC AUC", "average_precision": "average precision"}  # of a search
ONE_SIDED_95 = 1.645  # standard deviations that 95 % of a normal distribution stay below
NORMAL_95 = 1.96  # standard errors either side that hold 95 % of a normal distribution


def format_metric(value: float | None, missing: str = "-") -> str:
    """Return a metric to four decimals, a whole number as one, a tiny figure to three digits."""
    if value is None or np.isnan(value):
        return missing
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.4f}" if abs(value) >= 0.001 else f"{value:.3g}"


def one_vs_rest(y: Labels, scores: Array) -> Iterator[tuple[Labels, Array]]:
    """Return each class against the rest: 1 for its rows, and its scores `[rows]`."""
    for number, of_class in enumerate(scores.T):
        yield (y == number).astype(np.int64), of_class


def macro(metric: Callable[[Labels, Array], float], y: Labels, scores: Array) -> float:
    """Return the mean over classes of the metric of each class against the rest."""
    return float(np.mean([metric(*against_rest) for against_rest in one_vs_rest(y, scores)]))


def roc_auc(y: Labels, scores: Array) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    Equal scores count one half (Mann and Whitney 1947). For more than two classes: the macro mean.
    """
    if scores.ndim > 1:
        return macro(roc_auc, y, scores)
    ones = np.ones((1, len(y)))
    return float(weighted_roc_auc(y, scores, ones)[0])


def average_precision(y: Labels, scores: Array) -> float:
    """Return the area under the precision-recall steps, `Σ (Rₙ − Rₙ₋₁) Pₙ`.

    For more than two classes: the macro mean.
    """
    if scores.ndim > 1:
        return macro(average_precision, y, scores)
    _, tp, fp = cumulative_counts(y, scores)
    return float(np.sum(np.diff(tp / tp[-1], prepend=0.0) * tp / (tp + fp)))


def brier(y: Labels, probability: Array) -> float:
    """Return the mean squared distance of the probability from what came true (Brier 1950).

    For more than two classes a row's squares are summed over the classes: from 0 to 2.
    """
    return float(np.mean(squared_errors(y, probability)))


def squared_errors(y: Labels, probability: Array) -> Array:
    """Return each row's squared distance `[rows]`, as `brier` takes their mean."""
    if probability.ndim == 1:
        return (probability - y) ** 2
    came_true = np.eye(probability.shape[1])[y]
    return np.asarray(((probability - came_true) ** 2).sum(axis=1))


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
    if p.ndim > 1:
        return -np.log(p[np.arange(len(y)), y])
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


def weighted_roc_auc(y: Labels, scores: Array, weights: Array) -> Array:
    """Return the ROC AUC for each row of weights `[resamples, rows]`, sorting the scores once."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    sorted_weights, positive = weights[:, order], y[order] == 1
    positives = np.add.reduceat(sorted_weights * positive, starts, axis=1)
    negatives = np.add.reduceat(sorted_weights * ~positive, starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return np.asarray((positives * (below + negatives / 2)).sum(axis=1) / pairs)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
