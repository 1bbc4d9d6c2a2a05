"""The grid search beside scikit-learn's own, in turn, on one core and on two.

    python -m bench.search [ROUNDS]

First 10 × 10 candidates on 5 folds of the Pima training split, and of tables with three classes
(beside `OneVsRestClassifier`), then the curve over 600 to 10,000
rows, which is drawn into docs/img/search.png. Each way runs ROUNDS (5) times, in turn with the
other, after the imports: the ratios of the medians are what to quote.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import label_binarize
from sklearn.svm import SVC

from bench.tables import ROOT, SearchTable, made_up, penguins, pima, wine
from pipeline.search import local
from pipeline.search.grid import grid, grid_candidates
from pipeline.search.memory import make_plan
from pipeline.search.strategy import Callbacks, exhaustive, scores_of
from pipeline.search.units import ClassWeight
from pipeline.training.estimator import build_transformer

ROUNDS = 5
Way = Callable[[], Any]
WEIGHTS: tuple[ClassWeight, ...] = ("none", "balanced")
C, GAMMA, FEW_GAMMA = grid(0.01, 1000, 10), grid(0.0001, 10, 10), grid(0.0001, 10, 4)
SIZES = (600, 2000, 5000, 10_000)
PICTURE = ROOT / "docs" / "img" / "search.png"


def in_turn(
    ways: Mapping[str, Way], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return the median seconds of each way; with several rounds a first one is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    warm_up = 1 if rounds > 1 else 0
    for number in range(1 - warm_up, rounds + 1):
        for name, way in ways.items():
            start = clock()
            way()
            if number:
                seconds[name].append(clock() - start)
        print(f"round {number} of {rounds}", file=sys.stderr)
    return {name: statistics.median(times) for name, times in seconds.items()}


def ours(
    table: SearchTable, C: Any, gamma: Any, jobs: int, weights: Sequence[ClassWeight] = WEIGHTS[:1]
) -> Any:
    """Search as the pipeline does; return the scores `[candidates, folds]`."""
    problem = table.problem()
    plan = make_plan(problem.shape, jobs, table.memory_limit)
    return scores_of(
        exhaustive(
            problem,
            grid_candidates(C, gamma, weights),
            lambda on, units: local.run(on, plan, units),
            Callbacks(),
        )
    )


def theirs(
    table: SearchTable, C: Any, gamma: Any, jobs: int, weights: Sequence[ClassWeight] = WEIGHTS[:1]
) -> Any:
    """Search with `GridSearchCV`; return the scores `[candidates, folds]`."""
    many = len(table.contract.classes) > 2
    svm, of_svm = (OneVsRestClassifier(SVC()), "svm__estimator__") if many else (SVC(), "svm__")
    search = GridSearchCV(
        Pipeline([("transform", build_transformer(table.contract)), ("svm", svm)]),
        {
            f"{of_svm}C": C,
            f"{of_svm}class_weight": [None if weight == "none" else weight for weight in weights],
            f"{of_svm}gamma": gamma,
        },
        scoring=_one_vs_rest if many else "roc_auc",
        cv=table.folds,
        n_jobs=jobs,
        refit=False,
    ).fit(table.X, table.y)
    results = search.cv_results_
    folds = range(len(table.folds))
    return np.column_stack([results[f"split{fold}_test_score"] for fold in folds])


def _one_vs_rest(fitted: Pipeline, X: Any, y: Any) -> float:
    of_each = label_binarize(y, classes=fitted.classes_)
    return float(roc_auc_score(of_each, fitted.decision_function(X), average="macro"))


def main(rounds: int = ROUNDS) -> None:
    table = pima()
    difference = np.abs(ours(table, C, GAMMA, 1) - theirs(table, C, GAMMA, 1)).max()
    print(f"largest difference between two scores: {difference:.1e}\n")
    print("| 10 × 10 candidates, 5 folds, 614 rows | GridSearchCV, s | ours, s | ratio |")
    print("|---|---|---|---|")
    cores = len(os.sched_getaffinity(0))
    for jobs in range(1, min(cores, 2) + 1):
        found = _beside(table, C, GAMMA, jobs, rounds)
        _print(f"{jobs} core{'s' * (jobs > 1)}", found)
    weighted = {way.__name__: partial(way, table, C, GAMMA, 2, WEIGHTS) for way in (theirs, ours)}
    _print("2 cores, with both class weights", in_turn(weighted, rounds))
    for name, several in {"wine": wine(), "penguins": penguins()}.items():
        what = f"1 core, {name}: {len(several.y)} rows, {len(several.contract.classes)} classes"
        _print(what, _beside(several, C, GAMMA, 1, rounds))
    print("\n| rows (10 × 4 candidates, 3 folds, 20 columns) | GridSearchCV, s | ours, s | ratio |")
    print("|---|---|---|---|")
    curve = {}
    for rows in SIZES:
        # The larger ones take minutes, in which a disturbance evens out.
        once = rounds if rows <= 2000 else 1
        curve[rows] = _beside(made_up(rows, folds=3), C, FEW_GAMMA, min(cores, 2), once)
        _print(f"{rows}", curve[rows])
    draw(curve, PICTURE)


def draw(curve: Mapping[int, Mapping[str, float]], path: Path) -> None:
    """Draw seconds over rows, both ways, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    rows = list(curve)
    for way, label in (("theirs", "GridSearchCV"), ("ours", "this search")):
        axes.plot(rows, [curve[size][way] for size in rows], marker="o", label=label)
    for size in rows:
        ratio = curve[size]["theirs"] / curve[size]["ours"]
        axes.annotate(
            f"{ratio:.1f} ×", (size, curve[size]["ours"]), (6, -14), textcoords="offset points"
        )
    axes.set(xscale="log", yscale="log", xlabel="Rows of the table", ylabel="Seconds")
    axes.set_xticks(rows, [f"{size:,}" for size in rows], minor=False)
    axes.minorticks_off()
    axes.set_title("The same scores: 10 × 4 candidates, 3 folds, two cores", fontsize=10)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)


def _beside(table: SearchTable, C: Any, gamma: Any, jobs: int, rounds: int) -> dict[str, float]:
    ways = {way.__name__: partial(way, table, C, gamma, jobs) for way in (theirs, ours)}
    return in_turn(ways, rounds)


def _print(what: str, found: Mapping[str, float]) -> None:
    ratio = found["theirs"] / found["ours"]
    print(f"| {what} | {found['theirs']:.2f} | {found['ours']:.2f} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
