"""The processor time of one fit by rows and components: the constants of pipeline/training/cost.py.

    python -m bench.cost

On made-up tables of 20 columns all fits of one fold are timed behind each other, on one core, and
by processor time, so that others on the machine matter little. The model's own time is beside it.
"""

import time

from bench.tables import SEED, made_up
from pipeline.search import local
from pipeline.search.grid import grid, grid_candidates
from pipeline.search.memory import make_plan
from pipeline.search.problem import Nystroem
from pipeline.search.units import to_units
from pipeline.training.cost import fit_s

CANDIDATES = grid_candidates(grid(0.01, 1000, 10), grid(0.0001, 10, 10))
CASES: list[tuple[int, int | None]] = [
    *((rows, None) for rows in (1_000, 2_000, 5_000, 10_000)),
    *((5_000, components) for components in (100, 400)),
    *((10_000, components) for components in (800, 1_600)),
    *((20_000, components) for components in (100, 200, 400)),
]


def measured(rows: int, components: int | None) -> tuple[int, float]:
    """Return the training rows of a fold, and the mean processor seconds of a fit on it."""
    table = made_up(rows)
    problem = table.problem(None if components is None else Nystroem(components, SEED))
    units = to_units(CANDIDATES, 1, problem.hardest_gamma())
    plan = make_plan(problem.shape, 1, table.memory_limit)
    start = time.process_time()
    list(local.run(problem, plan, units))
    return problem.shape.training, (time.process_time() - start) / len(CANDIDATES)


def main() -> None:
    print("| training rows | components | a fit, s | the model | ratio |\n|---|---|---|---|---|")
    for rows, components in CASES:
        training, seconds = measured(rows, components)
        model = fit_s(training, components)
        print(f"| {training} | {components or 'exact'} | {seconds:.3g} ", end="")
        print(f"| {model:.3g} | {model / seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
