"""From a training table to a fitted model: the search as the settings ask for it, and the refit."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import joblib
import msgspec
import pandas as pd
import psutil

import pipeline.search
from pipeline.data.table import Table
from pipeline.errors import PipelineError
from pipeline.evaluation import metrics
from pipeline.params import PLACE, GridSearch
from pipeline.search import local
from pipeline.search.checkpoint import Checkpoint
from pipeline.search.cluster import Cluster, ClusterError
from pipeline.search.grid import grid, grid_candidates, results_table, statistics
from pipeline.search.memory import Plan, TooLargeError, make_plan
from pipeline.search.problem import Nystroem, Problem, folds_of
from pipeline.search.strategy import (
    Callbacks,
    Halving,
    Result,
    Runner,
    exhaustive,
    halving,
    schedule,
    scores_of,
)
from pipeline.search.units import Candidate, Done, Unit
from pipeline.training import estimator
from pipeline.training.estimator import (
    build_transformer,
    stratified_folds,
)

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

SHARE_OF_MEMORY = 0.25


@dataclass(frozen=True)
class Search:
    """A search: its data, candidates and settings."""

    problem: Problem
    candidates: Sequence[Candidate]
    settings: GridSearch
    seed: int
    features: Sequence[tuple[tuple[float, ...], int]]  # their values that mean missing, categories

    @classmethod
    def of(cls, table: Table, settings: GridSearch, seed: int) -> "Search":
        """Define the search of a table; raises PipelineError where it cannot be done on it."""
        _check_components(settings, len(table.y))
        split = stratified_folds(settings.folds, seed).split(table.X, table.y)
        problem = Problem(
            table.X,
            table.y,
            build_transformer(table.contract),
            folds_of(list(split)),
            approximation(settings, seed),
        )
        C, gamma = (grid(*bounds, settings.grid_size) for bounds in (settings.C, settings.gamma))
        features = [(f.missing_numbers, len(f.categories)) for f in table.contract.features]
        return cls(problem, grid_candidates(C, gamma), settings, seed, features)

    @property
    def key(self) -> str:
        """Name by a digest all that the scores are a function of: data, settings, code."""
        asked = {
            name: value
            for name, value in msgspec.to_builtins(self.settings).items()
            if name not in PLACE
        }
        digest = sha256()
        for part in (
            self.problem.X.tobytes(),
            self.problem.y.tobytes(),
            msgspec.json.encode([self.problem.X.shape, self.features, self.seed, asked]),
            msgspec.json.encode([version(name) for name in ("numpy", "scipy", "scikit-learn")]),
            *(path.read_bytes() for path in _code()),
        ):
            digest.update(sha256(part).digest())
        return digest.hexdigest()

    @property
    def evaluations(self) -> int:
        """Count the candidates to be scored; halving scores some of them several times."""
        if self.settings.strategy == "grid":
            return len(self.candidates)
        iterations = schedule(self.problem, len(self.candidates), self.halving)
        return sum(iteration.candidates for iteration in iterations)

    @property
    def halving(self) -> Halving:
        return Halving(self.settings.halving_factor, self.settings.halving_min_rows, self.seed)

    def score(self, run: Runner, watch: Callbacks) -> list[Result]:
        """Score the candidates by the strategy that is asked for."""
        if self.settings.strategy == "grid":
            return exhaustive(self.problem, self.candidates, run, watch)
        return halving(
            self.problem, self.candidates, run, watch, self.halving, self.settings.rank_by
        )

    def table(self, results: Sequence[Result]) -> pd.DataFrame:
        """Tabulate the results; the first row is the winner."""
        names = results[0].extra
        extra = {name: [result.extra[name] for result in results] for name in names}
        candidates = [result.candidate for result in results]
        return results_table(candidates, scores_of(results), self.settings.rank_by, extra)

    def score_of(self, result: Result) -> float:
        return statistics(result.scores)[f"{self.settings.rank_by}_test_score"]


@contextmanager
def runner(search: Search) -> Iterator[tuple[Runner, Plan]]:
    """Yield what runs the search's units, here or on a cluster, and how the first of them run.

    Raises PipelineError where the memory does not suffice or the cluster does not work.
    """
    settings = search.settings
    try:
        if settings.backend == "dask":
            with Cluster(settings.scheduler, _given_limit(settings)) as cluster:
                yield cluster.run, cluster.plan(search.problem)
        else:
            limit, jobs = memory_limit(settings), joblib.cpu_count()

            def run_here(problem: Problem, units: Sequence[Unit]) -> Iterator[Done]:
                return local.run(problem, make_plan(problem.shape, jobs, limit), units)

            yield run_here, make_plan(search.problem.shape, jobs, limit)
    except (ClusterError, TooLargeError) as error:
        raise PipelineError(str(error)) from error


def run_search(search: Search, checkpoint: Checkpoint, watch: Callbacks) -> list[Result]:
    """Run a search, from where it was left, and say how."""
    with runner(search) as (run, plan):
        _tell(plan, checkpoint)
        return search.score(checkpoint.resumed(run), watch)


def memory_limit(settings: GridSearch) -> int:
    """Return the limit in bytes: as set, or a quarter of what this machine or container has."""
    given = _given_limit(settings)
    if given is not None:
        return given
    total = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        total = min(total, int(CGROUP_LIMIT.read_text()))
    return int(SHARE_OF_MEMORY * total)


def _given_limit(settings: GridSearch) -> int | None:
    return None if settings.memory_limit is None else int(settings.memory_limit * 1e9)


def approximation(settings: GridSearch, seed: int) -> Nystroem | None:
    if settings.approximation == "none":
        return None
    return Nystroem(settings.components, seed)


def job_count(search: Search) -> int:
    """Return how many fits may be under way here at once, as for the search."""
    limit = memory_limit(search.settings)
    return make_plan(search.problem.shape, joblib.cpu_count(), limit).jobs


def _check_components(settings: GridSearch, rows: int) -> None:
    # The calibration of a fold's model is fitted on what two splits leave of the rows.
    fewest = int(rows * (1 - 1 / settings.folds) ** 2)
    if settings.approximation == "nystroem" and settings.components > fewest:
        raise PipelineError(
            f"grid_search.components is {settings.components}, but of {rows} training rows only "
            f"{fewest} are left in the smallest fold: lower it, or set grid_search.approximation "
            "to none in params.yaml"
        )


def _tell(plan: Plan, checkpoint: Checkpoint) -> None:
    print(
        f"grid search: {plan.jobs} at once, {plan.layout.value}; at most {plan.bytes / 1e9:.2g} GB",
        file=sys.stderr,
    )
    finished = checkpoint.finished()
    if finished:
        print(f"grid search: goes on after {finished} finished units", file=sys.stderr)


def _code() -> list[Path]:
    """List the files whose code the scores depend on."""
    folder = Path(pipeline.search.__file__).parent
    return [*sorted(folder.glob("*.py")), Path(metrics.__file__), Path(estimator.__file__)]
