"""Metrics of each subgroup of the test rows: answers in, a row for each group out."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import PipelineError
from pipeline.evaluation.delong import roc_auc_error
from pipeline.evaluation.metrics import Array, Labels, brier, roc_auc
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
    confidence: float,
) -> pd.DataFrame:
    """Return a row for each group of each feature named in `cuts` that has rows.

    `observed` is the share of positives, `predicted` the mean probability; the ROC AUC is NaN for
    a group that lacks a class. Its interval is normal, with DeLong's error, within 0 and 1.

    Raises PipelineError for a feature that is not the contract's, or has too many values to make
    a group of each.
    """
    rows = [
        {"feature": name, "group": group, **_figures(y[mask], probability[mask], confidence)}
        for name, points in cuts.items()
        for group, mask in groups(
            _feature(contract, name), X[:, contract.names.index(name)], points
        )
        if mask.any()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def subgroup_gap(table: pd.DataFrame) -> float:
    """Return the largest difference of ROC AUC between two groups of one feature.

    Only groups with enough rows of each class count; 0 where no two of a feature have them.
    """
    fewest = np.minimum(table["positives"], table["rows"] - table["positives"])
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


def _figures(y: Labels, probability: Array, confidence: float) -> dict[str, float]:
    area, half_width = np.nan, np.nan
    if len(np.unique(y)) == 2:
        area = roc_auc(y, probability)
        half_width = NormalDist().inv_cdf((1 + confidence) / 2) * roc_auc_error(y, probability)
    return {
        "rows": len(y),
        "positives": int(y.sum()),
        "roc_auc": area,
        "roc_auc_low": max(area - half_width, 0.0),
        "roc_auc_high": min(area + half_width, 1.0),
        "brier": brier(y, probability),
        "observed": float(y.mean()),
        "predicted": float(probability.mean()),
    }


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
