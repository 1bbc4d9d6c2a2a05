"""Plan a training run: its units, its memory and its time on this machine."""

from dataclasses import replace
from pathlib import Path

import msgspec

from pipeline.data.source_split import split_source
from pipeline.params import Params
from pipeline.search.memory import Plan, make_plan
from pipeline.training.choice import LEARNING_CURVE_SHARES, components_of, parts_on
from pipeline.training.time_estimate import Estimate, estimate
from pipeline.training.tuning import Search, memory_limit, runner

POWER = 2.0  # by which the parts of the refit grow with their rows


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a search: seconds of wall time, and the most bytes that it may hold."""

    rows: int
    features: int
    candidates: int
    fits: int
    finalists: int
    folds: int
    repeats: int
    units: int
    strategy: str
    components: int | None
    at_once: int
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
    parts = (
        search.parts
        if rows == len(problem.y)
        else parts_on(search.settings, rows, problem.n_classes)
    )
    work = sum(
        part.evaluations / len(search.candidates) * _grid_s(search, found, part.rows)
        for part in parts
    )
    gammas = {candidate.gamma for candidate in search.candidates}
    return Figures(
        rows=rows,
        features=problem.X.shape[1],
        candidates=len(search.candidates),
        fits=sum(part.fits for part in parts),
        finalists=parts[-1].candidates,
        folds=len(problem.folds),
        repeats=parts[-1].folds // len(problem.folds),
        units=sum(part.folds * min(len(gammas), part.candidates) for part in parts),
        strategy=search.settings.strategy,
        components=components_of(search.settings),
        at_once=plan.at_once,
        layout=plan.layout.value,
        memory_bytes=plan.bytes,
        memory_limit_bytes=memory_limit(search.settings),
        search_seconds=work / plan.at_once,
        refit_seconds=_refit_s(search, found, training_rows) / plan.jobs,
        timed_units=len(found.timed),
        timed_rows=found.largest,
    )


def _plan_for(search: Search, here: Plan, share: float) -> Plan:
    """Return the plan of the search on so many times the rows."""
    shape = search.problem.shape
    training, test = round(shape.training * share), round(shape.test * share)
    larger = shape._replace(training=training, test=test)
    local = search.settings.backend == "local"
    plan = make_plan(larger, here.jobs, memory_limit(search.settings), share=local)
    return replace(plan, workers=here.workers)


def _grid_s(search: Search, found: Estimate, rows: float) -> float:
    """Return the seconds of all candidates on one fold, one after the other."""
    gammas = {candidate.gamma for candidate in search.candidates}
    return sum(found.unit_s(gamma, rows) for gamma in gammas)


def _refit_s(search: Search, found: Estimate, rows: float) -> float:
    """Return the seconds of the refit and the learning curve, one fit after the other."""
    folds = len(search.problem.folds)
    fits = (1 - 1 / folds) ** -POWER
    fits += folds * sum(float(share**POWER) for share in LEARNING_CURVE_SHARES)
    return float(fits * _grid_s(search, found, rows) / len(search.candidates))


def training_search(params: Params, size: int | None = None) -> Search:
    """Define the search of the training split, which is made here and not written.

    Auto chooses as if it had `size` rows.
    """
    training = split_source(Path(params.data.file), params).training
    return Search.of(training, params.grid_search, params.seed, size=size)
