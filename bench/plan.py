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
from pipeline.search.strategy import Callbacks
from pipeline.training.choice import candidates_of, encoded_columns, resolve
from pipeline.training.folds import repeated_folds
from pipeline.training.plan import figures
from pipeline.training.tuning import Search, approximation, runner

SECONDS = 20
EXACT = {"strategy": "grid", "approximation": "none"}
HALVING = {"strategy": "halving", "approximation": "none"}
NYSTROEM = {"strategy": "grid", "approximation": "nystroem", "components": 300}
CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("614 rows", pima, {}),
    ("2,000 rows", lambda: made_up(2000), EXACT),
    ("5,000 rows", lambda: made_up(5000), EXACT),
    ("10,000 rows", lambda: made_up(10_000, folds=3), {"folds": 3, **EXACT}),
    (
        "10,000 rows, halving",
        lambda: made_up(10_000),
        HALVING,
    ),
    ("100,000 rows, nystroem", lambda: made_up(100_000), NYSTROEM),
]


def define(table: SearchTable, settings: GridSearch) -> Search:
    settings = resolve(settings, len(table.y), encoded_columns(table.contract))
    problem = table.problem(approximation(settings, SEED))
    repeats = settings.repeats_for(len(table.y))
    folds = repeated_folds(table.y, settings.folds, repeats, SEED)
    repeated = replace(problem, folds=folds)
    return Search(problem, repeated, candidates_of(settings), settings, SEED, [])


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
