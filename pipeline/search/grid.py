"""The grid of candidates, and what their scores come to."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.search.units import Candidate, ClassWeight

Array = npt.NDArray[np.float64]


def grid(low: float, high: float, size: int) -> Array:
    """Return `size` values from `low` to `high`, evenly spaced on a logarithmic axis.

    They are rounded to twelve significant digits, so that a value reads the same everywhere.
    """
    return np.array([float(f"{value:.12g}") for value in np.geomspace(low, high, size)])


def grid_candidates(
    C: Array, gamma: Array, class_weights: Sequence[ClassWeight] = ("none",)
) -> list[Candidate]:
    """Return every candidate once, C before gamma before the class weight."""
    points = product(C.tolist(), gamma.tolist(), class_weights)
    return [Candidate(*point) for point in dict.fromkeys(points)]


def candidate_of(row: Mapping[Hashable, Any]) -> Candidate:
    """Return the candidate of a row of results; older results have no class weights."""
    class_weight = row.get("param_class_weight", "none")
    return Candidate(float(row["param_C"]), float(row["param_gamma"]), class_weight)


def statistics(scores: Sequence[float] | Array) -> dict[str, float]:
    """Return mean, median and standard deviation of a candidate's scores over the folds."""
    values = np.asarray(scores, dtype=np.float64)
    return {
        "mean_test_score": float(values.mean()),
        "median_test_score": float(np.median(values)),
        "std_test_score": float(values.std()),
    }


def fold_column(fold: int) -> str:
    return f"split{fold}_test_score"
