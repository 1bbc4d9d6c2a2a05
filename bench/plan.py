"""What `python -m pipeline plan` says beside what the search then takes.

    python -m bench.plan

Each search is planned, which times some of its units for 20 s at the most, and then run. The time
planned is to be within a factor of two of the time taken.
"""

import time
from dataclasses import replace
from typing import Any

import msgspec
from tqdm import tqdm

from bench.tables import ROOT, SEED, SearchTable, made_up, pima
from pipeline.params import GridSearch
from pipeline.params_file import load
from pipeline.search.grid import grid, grid_candidates
from pipeline.search.strategy import Callbacks
from pipeline.training.folds import repeated_folds
from pipeline.training.plan import figures
from pipeline.training.tuning import Search, approximation, runner

SECONDS = 20
CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("614 rows", pima, {}),
    ("2,000 rows", lambda: made_up(2000), {}),
    ("5,000 rows", lambda: made_up(5000), {}),
    ("10,000 rows", lambda: made_up(10_000, folds=3), {"folds": 3}),
    ("10,000 rows, halving", lambda: made_up(10_000), {"strategy": "halving"}),
    ("100,000 rows, nystroem", lambda: made_up(100_000), {"approximation": "nystroem"}),
]


def define(table: SearchTable, settings: GridSearch) -> Search:
    C, gamma = (grid(*bounds, settings.grid_size) for bounds in (settings.C, settings.gamma))
    problem = table.problem(approximation(settings, SEED))
    repeats = settings.repeats_for(len(table.y))
    folds = repeated_folds(table.y, settings.folds, repeats, SEED)
    candidates = grid_candidates(C, gamma, settings.selection.class_weights)
    return Search(problem, replace(problem, folds=folds), candidates, settings, SEED, [])


def main() -> None:
    settings = load(ROOT / "params.yaml").grid_search
    print("| search | planned | took | planned to took | timing it took |\n|---|---|---|---|---|")
    for name, table, changes in CASES:
        search = define(table(), msgspec.structs.replace(settings, **changes))
        start = time.perf_counter()
        planned = figures(search, len(search.problem.y), SECONDS).search_seconds
        timing = time.perf_counter() - start
        start = time.perf_counter()
        with runner(search) as (run, _):
            search.run(run, Callbacks())
        took = time.perf_counter() - start
        print(f"| {name} | {tqdm.format_interval(planned)} | {tqdm.format_interval(took)} ", end="")
        print(f"| {planned / took:.2f} | {tqdm.format_interval(timing)} |", flush=True)


if __name__ == "__main__":
    main()
