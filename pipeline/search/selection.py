"""Choose the winner: of the candidates that score alike, the one whose probabilities are best.

The scores of neighbouring candidates differ by less than folds drawn anew would change them, and a
ROC AUC says nothing of probabilities. So the best candidates are scored on further repeats of the
folds, and of those within one standard error of the best (Breiman et al. 1984) the one wins whose
cross-fitted probabilities have the lowest log loss.
"""

from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.evaluation.metrics import log_loss
from pipeline.search.calibration import Fold, cross_fitted
from pipeline.search.grid import fold_column, statistics
from pipeline.search.problem import Problem, svm_count
from pipeline.search.strategy import RankBy, Result
from pipeline.search.units import Candidate

FINAL_SHARE = 0.2  # of the candidates goes on to the repeats
MOST_FINALISTS = 200  # SVMs, whose decision values are kept in memory

Losses = Mapping[Candidate, float]


def in_order(results: Sequence[Result], rank_by: RankBy) -> list[Result]:
    """Sort results, the best first; of equals the simpler model.

    Those of a later iteration of halving come first, since they were scored on more rows.
    """
    return sorted(
        results,
        key=lambda one: (
            -one.extra.get("iter", 0),
            -one.score(rank_by),
            *one.candidate.simplicity,
        ),
    )


def finalists(results: Sequence[Result], rank_by: RankBy, svms: int = 1) -> list[Result]:
    """Return the best fifth, of those that were scored on the most rows."""
    best, *others = in_order(results, rank_by)[: final_count(len(results), svms)]
    return [best, *(one for one in others if one.extra == best.extra)]


def final_count(candidates: int, svms: int = 1) -> int:
    """Return how many of so many candidates, of so many SVMs each, go on to the repeats."""
    return min(ceil(FINAL_SHARE * candidates), MOST_FINALISTS // svms)


def within_one_error(finals: Sequence[Result], n_folds: int, rank_by: RankBy) -> list[Result]:
    """Return those whose score is at most one standard error below the best one's."""
    best = in_order(finals, rank_by)[0]
    lowest = best.score(rank_by) - standard_error(best.scores, n_folds)
    return [one for one in finals if one.score(rank_by) >= lowest]


def standard_error(scores: Sequence[float], n_folds: int) -> float:
    """Return the standard error of a score: that of the folds' means over the repeats."""
    means = np.reshape(scores, (-1, n_folds)).mean(axis=0)
    return float(means.std(ddof=1)) / sqrt(n_folds)


def scored_folds(result: Result, problem: Problem, n_folds: int) -> list[Fold]:
    """Return a finalist's decision values on the rows that each fold scored."""
    return [
        Fold(_values(decisions, problem), problem.y[test], number // n_folds)
        for number, (decisions, (_, test)) in enumerate(
            zip(result.decisions, problem.folds, strict=True)
        )
    ]


def _values(decisions: bytes, problem: Problem) -> npt.NDArray[np.float64]:
    values = np.frombuffer(decisions)
    svms = svm_count(problem.n_classes)
    return values if svms == 1 else values.reshape(-1, svms)


def log_losses(finals: Sequence[Result], problem: Problem, n_folds: int) -> dict[Candidate, float]:
    """Return the log loss of each finalist's cross-fitted probabilities."""
    losses = {}
    for one in finals:
        folds = scored_folds(one, problem, n_folds)
        y, probability = cross_fitted(folds, in_time=problem.in_time)
        losses[one.candidate] = round(log_loss(y, probability), 12)
    return losses


def results_table(
    results: Sequence[Result], rank_by: RankBy, losses: Losses | None = None
) -> pd.DataFrame:
    """Tabulate and rank the results, as `cv_results_` does; the first row is the winner.

    Those with a log loss come first, by it; then those that were scored on the most folds, by the
    mean or median of their scores; equals share a rank.
    """
    losses = losses or {}
    most_folds = max(len(one.scores) for one in results)
    ordered = sorted(
        results, key=lambda one: (*_place(one, rank_by, losses), *one.candidate.simplicity)
    )
    places = [_place(one, rank_by, losses) for one in ordered]
    first = {place: number for number, place in reversed([*enumerate(places, start=1)])}
    rows = [
        _row(one, most_folds, losses) | {"rank_test_score": first[place]}
        for one, place in zip(ordered, places, strict=True)
    ]
    return pd.DataFrame(rows)


def _place(one: Result, rank_by: RankBy, losses: Losses) -> tuple[float, ...]:
    if one.candidate in losses:
        return (0, losses[one.candidate])
    return (1, -one.extra.get("iter", 0), -len(one.scores), -one.score(rank_by))


def _row(one: Result, most_folds: int, losses: Losses) -> dict[str, Any]:
    scores = [*one.scores, *[np.nan] * (most_folds - len(one.scores))]
    row: dict[str, Any] = {
        **{f"param_{name}": value for name, value in one.candidate._asdict().items()},
        **{fold_column(fold): score for fold, score in enumerate(scores)},
        **statistics(one.scores),
        **one.extra,
    }
    return row | ({"log_loss": losses.get(one.candidate, np.nan)} if losses else {})
