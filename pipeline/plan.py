"""Say what the search will take on this machine, before it is started.

A few units are timed on some of the rows, which takes about half a minute for a large table.
"""

import sys
from pathlib import Path

import click
import msgspec

from pipeline.estimate import Estimate, estimate
from pipeline.files import json_text
from pipeline.options import path_option
from pipeline.params import Params, load
from pipeline.progress import duration
from pipeline.search.memory import Plan, Shape, make_plan
from pipeline.search.strategy import schedule
from pipeline.table import read_source, split
from pipeline.training import LEARNING_CURVE_SHARES, Search, memory_limit, runner

EXAMPLES = """\b
Examples:
  python -m pipeline plan
  python -m pipeline plan -S grid_search.grid_size=30
  python -m pipeline plan -S grid_search.approximation=nystroem --rows 1000000
"""
POWER = 2.0  # by which the parts of the refit grow with their rows


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a search takes; seconds are of wall time, bytes are the most that it may hold."""

    rows: int
    features: int
    candidates: int
    evaluations: int
    folds: int
    units: int
    jobs: int
    layout: str
    memory_bytes: int
    memory_limit_bytes: int
    search_seconds: float
    refit_seconds: float
    timed_units: int
    timed_rows: int


def figures(search: Search, rows: int, seconds: float) -> Figures:
    """Estimate a search as if its table had `rows` training rows, timing for `seconds`."""
    problem = search.problem
    share = rows / len(problem.y)
    training_rows = problem.shape.training * share
    with runner(search) as (run, here):
        plan = _plan_for(search, here, share)
        found = estimate(
            problem,
            search.candidates,
            run,
            seconds=seconds,
            seed=search.seed,
            wanted_rows=round(training_rows),
        )
    parts = _parts(search, share)
    work = sum(
        len(problem.folds) * evaluated / len(search.candidates) * _grid_s(search, found, on)
        for evaluated, on in parts
    )
    gammas = {candidate.gamma for candidate in search.candidates}
    return Figures(
        rows=rows,
        features=problem.X.shape[1],
        candidates=len(search.candidates),
        evaluations=sum(evaluated for evaluated, _ in parts),
        folds=len(problem.folds),
        units=len(problem.folds) * sum(min(len(gammas), scored) for scored, _ in parts),
        jobs=plan.jobs,
        layout=plan.layout.value,
        memory_bytes=plan.bytes,
        memory_limit_bytes=memory_limit(search.settings),
        search_seconds=work / plan.jobs,
        refit_seconds=_refit_s(search, found, training_rows) / plan.jobs,
        timed_units=len(found.timed),
        timed_rows=found.largest,
    )


def _plan_for(search: Search, here: Plan, share: float) -> Plan:
    """Give how the search runs on so many times the rows."""
    shape = search.problem.shape
    larger = Shape(
        shape.folds,
        round(shape.training * share),
        round(shape.test * share),
        shape.features,
        shape.components,
    )
    local = search.settings.backend == "local"
    return make_plan(larger, here.jobs, memory_limit(search.settings), share=local)


def _parts(search: Search, share: float) -> list[tuple[int, float]]:
    """Give how many candidates are scored on how many training rows of a fold."""
    training = search.problem.shape.training * share
    if search.settings.strategy == "grid":
        return [(len(search.candidates), training)]
    iterations = schedule(search.problem, len(search.candidates), search.halving)
    return [(i.candidates, training * i.rows / len(search.problem.y)) for i in iterations]


def _grid_s(search: Search, found: Estimate, rows: float) -> float:
    """Give the seconds of all candidates on one fold, one after the other."""
    gammas = {candidate.gamma for candidate in search.candidates}
    return sum(found.unit_s(gamma, rows) for gamma in gammas)


def _refit_s(search: Search, found: Estimate, rows: float) -> float:
    """Give the seconds of the calibrated refit and the learning curve, one fit after the other.

    Each fold's model, and the final one, is calibrated on as many folds again.
    """
    folds = len(search.problem.folds)
    inner = 1 + folds * (1 - 1 / folds) ** POWER
    fits = folds * inner + inner / (1 - 1 / folds) ** POWER
    fits += folds * sum(float(share**POWER) for share in LEARNING_CURVE_SHARES)
    return float(fits * _grid_s(search, found, rows) / len(search.candidates))


def shown(plan: Figures) -> str:
    """Write the figures for people."""
    of = f", {plan.evaluations} scored in all" if plan.evaluations > plan.candidates else ""
    lines = {
        "table": f"{plan.rows} training rows, {plan.features} features",
        "candidates": f"{plan.candidates}{of}, on {plan.folds} folds",
        "units": f"{plan.units} (fold, gamma), {plan.jobs} at once",
        "kernels": plan.layout,
        "memory": f"at most {_gb(plan.memory_bytes)} of {_gb(plan.memory_limit_bytes)} allowed",
        "search": f"about {duration(plan.search_seconds)}",
        "refit": f"about {duration(plan.refit_seconds)}, with calibration and learning curve",
        "timed": f"{plan.timed_units} units, on up to {plan.timed_rows} rows",
    }
    return "\n".join(f"{name:<12}{text}" for name, text in lines.items())


def _gb(size: int) -> str:
    return f"{size / 1e9:.2g} GB"


def training_search(params: Params) -> Search:
    """Define the search of the training split, which is made here and not written."""
    table = read_source(Path(params.data.file), params.data)
    training, _ = split(table, params.preprocess.test_size, params.seed)
    return Search.of(training, params.grid_search, params.seed)


@click.command(help=__doc__, epilog=EXAMPLES)
@path_option("--params", default="params.yaml")
@click.option(
    "-S",
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of params.yaml for this plan, such as grid_search.grid_size=30.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=10),
    help="Plan as if the table had so many training rows.  [default: those it has]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=20,
    show_default=True,
    help="About how long to time units.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    params: Path, settings: tuple[str, ...], rows: int | None, seconds: float, as_json: bool
) -> None:
    search = training_search(load(params, settings))
    print("timing some units …", file=sys.stderr)
    found = figures(search, rows or len(search.problem.y), seconds)
    if as_json:
        print(json_text(found), end="")
    else:
        print(shown(found))
