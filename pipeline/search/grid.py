"""The grid of candidates, and the table of their scores."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.search.units import Candidate

Array = npt.NDArray[np.float64]


def grid(low: float, high: float, size: int) -> Array:
    """Return `size` values from `low` to `high`, evenly spaced on a logarithmic axis.

    They are rounded to twelve significant digits, so that a value reads the same everywhere.
    """
    return np.array([float(f"{value:.12g}") for value in np.geomspace(low, high, size)])


def grid_candidates(C: Array, gamma: Array) -> list[Candidate]:
    """Return every pair, each once, C before gamma."""
    pairs = product(C.tolist(), gamma.tolist())
    return [Candidate(c, g) for c, g in dict.fromkeys(pairs)]


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


def results_table(
    candidates: Sequence[Candidate],
    scores: Array,
    rank_by: Literal["median", "mean"],
    extra: Mapping[str, Sequence[int]] | None = None,
) -> pd.DataFrame:
    """Tabulate and rank candidates by `scores` `[candidates, folds]`, as `cv_results_` does.

    Ranks go by the median or mean over the folds, equal scores sharing a rank. The first row is
    the winner: of equals the one with the smaller C, then the smaller gamma, the smoother model.
    `extra` holds further columns; with `iter` among them, candidates of a later iteration come
    first, since they were scored on more rows.
    """
    rows: list[dict[str, Any]] = [
        {
            "param_C": candidate.C,
            "param_gamma": candidate.gamma,
            **{fold_column(fold): score for fold, score in enumerate(values)},
            **statistics(values),
        }
        for candidate, values in zip(candidates, scores.tolist(), strict=True)
    ]
    table = pd.DataFrame(rows).assign(**(extra or {}))
    # Sums in another order differ in the last bits: these must not decide between equals.
    ranked = table[f"{rank_by}_test_score"].round(12)
    if "iter" in table:
        ranked += 2 * table["iter"]  # a ROC AUC is at most 1
    table["rank_test_score"] = ranked.rank(method="min", ascending=False).astype(int)
    return table.sort_values(["rank_test_score", "param_C", "param_gamma"], ignore_index=True)
