"""Metrics that only more than two classes have: arrays in, figures out.

`y` and `label` hold a class's number for each row, `probability` a column for each class
`[rows, classes]`. What both have is in `metrics`.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.evaluation.metrics import (
    NORMAL_95,
    Array,
    Labels,
    average_precision,
    bias,
    calibration_curve,
    expected_calibration_error,
    one_vs_rest,
    roc_auc,
)

Counts = npt.NDArray[np.int64]


def confusion_matrix(y: Labels, label: Labels, classes: int) -> Counts:
    """Count the rows of each class by the class that they are given `[actual, predicted]`."""
    cells = np.bincount(y * classes + label, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def class_rates(counts: Counts) -> pd.DataFrame:
    """Derive rows, precision, recall and F1 of each class; one without a denominator is 0."""
    hits, actual, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return pd.DataFrame(
        {
            "rows": actual,
            "precision": _shares(hits, predicted),
            "recall": _shares(hits, actual),
            "f1": _shares(2 * hits, actual + predicted),
        }
    )


def rates(counts: Counts) -> dict[str, float]:
    """Derive the rates of a confusion matrix: F1 is the mean over classes."""
    of_class = class_rates(counts)
    return {
        "accuracy": float(np.trace(counts) / counts.sum()),
        "balanced_accuracy": float(of_class["recall"][of_class["rows"] > 0].mean()),
        "f1": float(of_class["f1"].mean()),
        "f1_weighted": float(np.average(of_class["f1"], weights=of_class["rows"])),
    }


def top_class(y: Labels, probability: Array) -> tuple[Labels, Array]:
    """Return whether each row's likeliest class is its own, and the probability of that class."""
    return (y == probability.argmax(axis=1)).astype(np.int64), probability.max(axis=1)


def largest_bias(y: Labels, probability: Array) -> tuple[float, float]:
    """Return the bias and its standard error of the class that is surest to be off its share."""
    found = [bias(*against_rest) for against_rest in one_vs_rest(y, probability)]
    return max(found, key=lambda of_class: abs(of_class[0]) - NORMAL_95 * of_class[1])


def class_table(
    y: Labels, label: Labels, probability: Array, names: Sequence[str], bins: int
) -> pd.DataFrame:
    """Return the figures of each class against the rest, a row for each.

    `observed` is its share of the rows, `predicted` its mean probability.
    """
    table = class_rates(confusion_matrix(y, label, len(names)))
    table.insert(0, "class", list(names))
    of_class = list(one_vs_rest(y, probability))
    table["roc_auc"] = [roc_auc(*one) for one in of_class]
    table["average_precision"] = [average_precision(*one) for one in of_class]
    table["expected_calibration_error"] = [
        expected_calibration_error(calibration_curve(*one, bins)) for one in of_class
    ]
    table["observed"] = table["rows"] / len(y)
    table["predicted"] = probability.mean(axis=0)
    return table


def curves(
    curve: Callable[[Labels, Array], pd.DataFrame],
    y: Labels,
    probability: Array,
    names: Sequence[str],
) -> pd.DataFrame:
    """Return the curve of the positive class, or of each of more than two against the rest.

    The latter stand one below the other, with the class in the first column, `class`.
    """
    if probability.ndim == 1:
        return curve(y, probability)
    of_classes = [
        found.assign(**{"class": name})[["class", *found.columns]]
        for name, found in zip(
            names, (curve(*one) for one in one_vs_rest(y, probability)), strict=True
        )
    ]
    return pd.concat(of_classes, ignore_index=True)


def calibration_curves(
    y: Labels, probability: Array, names: Sequence[str], bins: int
) -> pd.DataFrame:
    """Return the calibration curves, as `curves` does."""
    return curves(partial(calibration_curve, bins=bins), y, probability, names)


def _shares(part: Counts, whole: Counts) -> Array:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
