"""Metrics of each subgroup of the test rows: answers in, a row for each group out."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import Bootstrap, roc_auc_interval
from pipeline.evaluation.delong import roc_auc_error
from pipeline.evaluation.metrics import Array, Labels, brier, roc_auc
from pipeline.evaluation.multiclass import top_class
from serving.model.cells import to_text, write_value
from serving.model.contract import Contract, Feature, FloatMatrix

COLUMNS = [
    "feature",
    "group",
    "rows",
    "positives",
    "roc_auc",
    "roc_auc_low",
    "roc_auc_high",
    "brier",
    "observed",
    "predicted",
]
MORE_COLUMNS = ["rarest" if name == "positives" else name for name in COLUMNS]  # of more than two
# Of ten rows of each class, a ROC AUC of 0.8 has a standard error of 0.1 (Hanley and McNeil 1982):
# with fewer, chance alone makes a gap that looks like a finding.
ROWS_OF_EACH_CLASS = 10
MOST_VALUES = 20
Mask = npt.NDArray[np.bool_]


def subgroup_table(
    X: FloatMatrix,
    y: Labels,
    probability: Array,
    contract: Contract,
    cuts: Mapping[str, Sequence[float]],
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Return a row for each group of each feature named in `cuts` that has rows.

    Of two classes `positives` counts the rows of the positive one, `observed` is its share and
    `predicted` its mean probability; the interval of the ROC AUC is normal, with DeLong's error,
    within 0 and 1. Of more classes there is `rarest` in the place of `positives`, the rows of the
    rarest class; `observed` is how often the likeliest class is the row's, `predicted` the mean
    probability of it; the interval is a bootstrap's. The ROC AUC is NaN for a group that lacks a
    class.

    Raises PipelineError for a feature that is not the contract's, or has too many values to make
    a group of each.
    """
    rows = [
        {"feature": name, "group": group, **_figures(y[mask], probability[mask], bootstrap)}
        for name, points in cuts.items()
        for group, mask in groups(
            _feature(contract, name), X[:, contract.names.index(name)], points
        )
        if mask.any()
    ]
    return pd.DataFrame(rows, columns=COLUMNS if probability.ndim == 1 else MORE_COLUMNS)


def subgroup_gap(table: pd.DataFrame) -> float:
    """Return the largest difference of ROC AUC between two groups of one feature.

    Only groups with enough rows of each class count; 0 where no two of a feature have them.
    """
    if "rarest" in table:
        fewest = np.asarray(table["rarest"])
    else:
        negatives = table["rows"] - table["positives"]
        fewest = np.asarray(np.minimum(table["positives"], negatives))
    areas = table[fewest >= ROWS_OF_EACH_CLASS].groupby("feature")["roc_auc"]
    return float((areas.max() - areas.min()).max()) if len(areas) else 0.0


def groups(
    feature: Feature, x: npt.NDArray[np.float64], points: Sequence[float]
) -> Iterator[tuple[str, Mask]]:
    """Return each group's name and rows: between cut points, or of one value where there are none.

    Rows whose value is not known are a group of their own, the last.
    """
    unknown = np.isnan(x) | np.isin(x, feature.missing_numbers)
    if points:
        for low, high in pairwise([-np.inf, *points, np.inf]):
            yield _between(feature.name, low, high), (x >= low) & (x < high) & ~unknown
    else:
        for value in _values(feature, x[~unknown]):
            yield f"{feature.name} = {write_value(feature, value)}", (x == value) & ~unknown
    yield f"{feature.name} not known", unknown


def _figures(y: Labels, probability: Array, bootstrap: Bootstrap) -> dict[str, float]:
    two = probability.ndim == 1
    rarest = int(np.bincount(y, minlength=2 if two else probability.shape[1]).min())
    came_true, p = (y, probability) if two else top_class(y, probability)
    low, high = _interval(y, probability, rarest, bootstrap)
    return {
        "rows": len(y),
        **({"positives": int(y.sum())} if two else {"rarest": rarest}),
        "roc_auc": roc_auc(y, probability) if rarest else np.nan,
        "roc_auc_low": low,
        "roc_auc_high": high,
        "brier": brier(y, probability),
        "observed": float(came_true.mean()),
        "predicted": float(p.mean()),
    }


def _interval(
    y: Labels, probability: Array, rarest: int, bootstrap: Bootstrap
) -> tuple[float, float]:
    """Return the interval of the ROC AUC: all from 0 to 1 where a class has a single row."""
    if rarest < 2:
        return (0.0, 1.0) if rarest else (np.nan, np.nan)
    if probability.ndim > 1:
        return roc_auc_interval(y, probability, bootstrap)
    area, error = roc_auc(y, probability), roc_auc_error(y, probability)
    half_width = NormalDist().inv_cdf((1 + bootstrap.confidence) / 2) * error
    return max(area - half_width, 0.0), min(area + half_width, 1.0)


def _feature(contract: Contract, name: str) -> Feature:
    for feature in contract.features:
        if feature.name == name:
            return feature
    raise PipelineError(f"evaluate.subgroups.{name} in params.yaml is no feature of the model")


def _values(feature: Feature, known: npt.NDArray[np.float64]) -> list[float]:
    values: list[float] = np.unique(known).tolist()
    if len(values) > MOST_VALUES:
        raise PipelineError(
            f"evaluate.subgroups.{feature.name} in params.yaml takes each of {len(values)} values "
            "as a group by itself: give cut points, such as "
            f"[{to_text(values[len(values) // 2])}]"
        )
    return values


def _between(name: str, low: float, high: float) -> str:
    if low == -np.inf:
        return f"{name} < {to_text(high)}"
    if high == np.inf:
        return f"{name} ≥ {to_text(low)}"
    return f"{to_text(low)} ≤ {name} < {to_text(high)}"
