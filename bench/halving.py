"""What successive halving saves on large tables, and what it loses against the whole grid.

    python -m bench.halving [ROWS …]

For made-up tables of ROWS rows (10000 20000), 10 × 10 candidates are scored on 3 folds: all on all
rows, then halved from 1,000 rows on, and from as few as scikit-learn takes by itself. The loss is
told on all rows: how much lower the cross-validated score of halving's winner is there than that
of the grid's winner.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import joblib

from bench.tables import SEED, SearchTable, made_up
from pipeline.search import local
from pipeline.search.grid import grid, grid_candidates
from pipeline.search.memory import make_plan
from pipeline.search.problem import Problem
from pipeline.search.selection import results_table
from pipeline.search.strategy import Callbacks, Halving, Result, exhaustive, halving
from pipeline.search.units import Done, Unit

FOLDS = 3
RANK_BY: Final = "median"
CANDIDATES = grid_candidates(grid(0.01, 1000, 10), grid(0.0001, 10, 10))


def main(sizes: list[int]) -> None:
    print("| rows | strategy | s | best C | best gamma | its median ROC AUC on all rows | loss |")
    print("|---|---|---|---|---|---|---|")
    for rows in sizes:
        _compare(made_up(rows, folds=FOLDS))


def _compare(table: SearchTable) -> None:
    problem, jobs = table.problem(), joblib.cpu_count()

    def run(on: Problem, units: Sequence[Unit]) -> Iterator[Done]:
        return local.run(on, make_plan(on.shape, jobs, table.memory_limit), units)

    def halved(min_rows: int | None) -> list[Result]:
        how = Halving(3, min_rows, SEED)
        return halving(problem, CANDIDATES, run, Callbacks(), how, RANK_BY)

    ways: dict[str, Callable[[], list[Result]]] = {
        "grid": partial(exhaustive, problem, CANDIDATES, run, Callbacks()),
        "halving from 1,000 rows": partial(halved, 1000),
        "halving from as few as can be": partial(halved, None),
    }
    found: dict[str, tuple[list[Result], float]] = {}
    for name, way in ways.items():
        start = time.perf_counter()
        found[name] = (way(), time.perf_counter() - start)
    whole = found["grid"][0]
    whole_table = results_table(whole, RANK_BY).set_index(["param_C", "param_gamma"])
    on_all_rows = whole_table["median_test_score"]
    best = on_all_rows.iloc[0]
    for name, (results, seconds) in found.items():
        C, gamma = results_table(results, RANK_BY).iloc[0][["param_C", "param_gamma"]]
        score = on_all_rows[C, gamma]
        print(f"| {len(table.y)} | {name} | {seconds:.0f} | {C:.3g} | {gamma:.3g} ", end="")
        print(f"| {score:.4f} | {best - score:.4f} |", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10_000, 20_000])
