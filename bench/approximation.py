"""The Nyström approximation where the exact SVM is out of reach: time, memory and loss.

    python -m bench.approximation [ROWS]

A made-up table of ROWS (100000) rows and 20 columns is searched over 10 × 10 candidates and 5 folds
by the approximation. For the loss, both ways search the same 5,000 of its rows and are scored on
20,000 others; what the approximation gains from all rows is told beside it. Last, one fold and one
gamma of it are fitted by scikit-learn's `LinearSVC` behind the same map, for the time.
"""

import sys
import time
from resource import RUSAGE_SELF, getrusage
from typing import Any

import joblib
import numpy as np
from sklearn.kernel_approximation import Nystroem as KernelMap
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from bench.tables import SEED, SearchTable, made_up
from pipeline.search import local
from pipeline.search.grid import candidate_of, grid, grid_candidates
from pipeline.search.memory import make_plan
from pipeline.search.problem import Nystroem
from pipeline.search.selection import results_table
from pipeline.search.strategy import Callbacks, exhaustive
from pipeline.search.units import Candidate, Penalty, Unit
from pipeline.training.estimator import build_svm, build_transformer

ROWS = 100_000
SAMPLE, UNSEEN = 5_000, 20_000
APPROXIMATION = Nystroem(300, SEED)
C, GAMMA = grid(0.01, 1000, 10), grid(0.0001, 10, 10)


def searched(table: SearchTable, approximation: Nystroem | None) -> tuple[Candidate, float]:
    """Return the winner, and the seconds of the search."""
    problem = table.problem(approximation)
    plan = make_plan(problem.shape, joblib.cpu_count(), table.memory_limit)
    candidates = grid_candidates(C, GAMMA)
    start = time.perf_counter()
    results = exhaustive(
        problem, candidates, lambda on, units: local.run(on, plan, units), Callbacks()
    )
    seconds = time.perf_counter() - start
    return candidate_of(dict(results_table(results, "median").iloc[0])), seconds


def unseen_auc(
    table: SearchTable, unseen: Any, winner: Candidate, approximation: Nystroem | None
) -> float:
    """Fit the winner on the table, and score it on the unseen rows."""
    svm = build_svm(winner, approximation)
    fitted = Pipeline([*build_transformer(table.contract).steps, ("svm", svm)])
    fitted.fit(table.X, table.y)
    return float(roc_auc_score(unseen[1], fitted.decision_function(unseen[0])))


def main(rows: int = ROWS) -> None:
    whole = made_up(rows + UNSEEN)
    unseen = whole.X[rows:], whole.y[rows:]
    large, sample = whole.first(rows), whole.first(SAMPLE)
    print("| rows | model | search, s | C | gamma | ROC AUC on unseen rows |")
    print("|---|---|---|---|---|---|")
    for table, approximation in ((sample, None), (sample, APPROXIMATION), (large, APPROXIMATION)):
        winner, seconds = searched(table, approximation)
        auc = unseen_auc(table, unseen, winner, approximation)
        name = "exact" if approximation is None else f"nystroem, {approximation.components}"
        print(f"| {len(table.y)} | {name} | {seconds:.0f} ", end="")
        print(f"| {winner.C:.3g} | {winner.gamma:.3g} | {auc:.4f} |", flush=True)
    plan = make_plan(large.problem(APPROXIMATION).shape, joblib.cpu_count(), large.memory_limit)
    peak = getrusage(RUSAGE_SELF).ru_maxrss * 1024
    print(f"\nMemory: planned {plan.bytes / 1e9:.2f} GB for kernels; the whole process, with the ")
    print(f"table and the libraries, held {peak / 1e9:.2f} GB at most.\n")
    _beside_liblinear(large)


def _beside_liblinear(table: SearchTable) -> None:
    problem = table.problem(APPROXIMATION)
    few = (0.01, 1.0, 100.0)
    plan = make_plan(problem.shape, 1, table.memory_limit)
    ((_, found),) = local.run(problem, plan, [Unit(0, 0.02, tuple(map(Penalty, few)))])
    fold = problem.prepared(0)
    mapping = KernelMap(gamma=0.02, n_components=APPROXIMATION.components, random_state=SEED)
    Z = mapping.fit_transform(fold.A)
    print("| one fit, C | LinearSVC, s | ours, s | ratio |\n|---|---|---|---|")
    for C, ours in zip(few, found.fit_s, strict=True):
        start = time.perf_counter()
        LinearSVC(C=C, dual=False).fit(Z, np.asarray(fold.targets[0].y))
        theirs = time.perf_counter() - start
        print(f"| {C:g} | {theirs:.1f} | {ours:.1f} | {theirs / ours:.0f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
