"""An SVM beside simpler answers to the same rows: logistic regression, and the base rate."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.delong import format_p
from pipeline.evaluation.metrics import (
    Array,
    Labels,
    brier,
    log_loss,
    roc_auc,
    roc_curve,
)
from pipeline.evaluation.multiclass import calibration_curves, curves
from pipeline.evaluation.paired import paired_brier_difference, roc_auc_difference


def compare_with_baseline(
    y: Labels, svm: Array, baseline: Array, base_rate: Sequence[float], bootstrap: Bootstrap
) -> dict[str, float]:
    """Return the baseline's metrics and the SVM's differences from it, SVM minus baseline.

    `svm` and `baseline` are probabilities `[rows]`, or `[rows, classes]` of more than two classes.
    `base_rate` answers each row with the classes' shares of the training rows: that of the
    positives alone if there are two classes.
    """
    always = np.broadcast_to(np.array(base_rate).squeeze(), svm.shape)
    area = roc_auc_difference(y, svm, baseline, bootstrap)
    score = paired_brier_difference(y, svm, baseline, bootstrap.confidence)
    return {
        "baseline_roc_auc": roc_auc(y, baseline),
        "baseline_brier": brier(y, baseline),
        "baseline_log_loss": log_loss(y, baseline),
        "base_rate_brier": brier(y, always),
        "base_rate_log_loss": log_loss(y, always),
        **_named("baseline_roc_auc_difference", area._asdict()),
        **_named("baseline_brier_difference", score._asdict()),
    }


def baseline_curves(
    y: Labels, baseline: Array, names: Sequence[str], bins: int
) -> dict[str, pd.DataFrame]:
    """Return the tables behind the baseline's curves, by the names of their files."""
    return {
        "baseline_roc": curves(roc_curve, y, baseline, names),
        "baseline_calibration": calibration_curves(y, baseline, names, bins),
    }


def format_verdict(figures: Mapping[str, float], confidence: float) -> str:
    """Return a sentence on whether the SVM is better than logistic regression, and by how much."""
    area = _verdict(figures, "roc_auc", larger_is_better=True)
    score = _verdict(figures, "brier", larger_is_better=False)
    by_each = "" if area == score else f" by ROC AUC and {score} it by Brier score"
    return (
        f"the SVM is {area} logistic regression{by_each}: "
        f"ROC AUC {_format_pair(figures, 'roc_auc', confidence)}; "
        f"Brier score {_format_pair(figures, 'brier', confidence)}, "
        f"base rate {figures['base_rate_brier']:.4f}"
    )


def _verdict(figures: Mapping[str, float], metric: str, *, larger_is_better: bool) -> str:
    low, high = (figures[f"baseline_{metric}_difference_{end}"] for end in ("low", "high"))
    if low <= 0 <= high:
        return "not distinguishable from"
    return "better than" if (low > 0) == larger_is_better else "worse than"


def _format_pair(figures: Mapping[str, float], metric: str, confidence: float) -> str:
    name = f"baseline_{metric}_difference"
    low, high = figures[f"{name}_low"], figures[f"{name}_high"]
    chance = f", p = {format_p(figures[f'{name}_p'])}" if f"{name}_p" in figures else ""
    return (
        f"{figures[metric]:.4f} and {figures[f'baseline_{metric}']:.4f}, difference "
        f"{figures[name]:+.4f} ({confidence:.0%} interval {low:+.4f} to {high:+.4f}{chance})"
    )


def _named(name: str, parts: Mapping[str, float]) -> dict[str, float]:
    """Name a difference's parts: the difference itself by `name`, the others after it."""
    return {name if part == "difference" else f"{name}_{part}": parts[part] for part in parts}
