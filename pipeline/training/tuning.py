"""From a training table to a fitted model: the search as the settings ask for it, and the refit."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import joblib
import msgspec
import pandas as pd
import psutil

import pipeline.search
from pipeline.data.table import Table
from pipeline.errors import PipelineError
from pipeline.evaluation import metrics
from pipeline.params import PLACE, GridSearch, Selection
from pipeline.search import calibration, local
from pipeline.search.checkpoint import Checkpoint
from pipeline.search.cluster import Cluster, ClusterError
from pipeline.search.grid import candidate_of
from pipeline.search.memory import Plan, TooLargeError, make_plan
from pipeline.search.problem import Nystroem, Problem, svm_count
from pipeline.search.selection import (
    final_count,
    finalists,
    in_order,
    log_losses,
    results_table,
    scored_folds,
    within_one_error,
)
from pipeline.search.strategy import (
    Callbacks,
    Halving,
    Result,
    Runner,
    cross_validated,
    exhaustive,
    halving,
    schedule,
)
from pipeline.search.units import Candidate, Done, Unit
from pipeline.search.widening import MOST_STEPS, Edge, Step, next_step
from pipeline.training import choice, estimator, folds
from pipeline.training.choice import candidates_of, components_of, encoded_columns
from pipeline.training.cost import Part, Workload
from pipeline.training.estimator import build_transformer
from pipeline.training.folds import check_folds, repeated_folds

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

SHARE_OF_MEMORY = 0.25


class Outcome(NamedTuple):
    """A finished search: all candidates in a table, the winner, and its values on unseen rows.

    The values are those of each fold, of all repeats.
    """

    table: pd.DataFrame
    winner: Candidate
    folds: Sequence[calibration.Fold]


@dataclass(frozen=True)
class Search:
    """A search: its data, candidates and settings; the finalists are scored on all repeats.

    Of the settings no strategy, approximation or number of components is left to auto.
    """

    problem: Problem
    repeated: Problem
    candidates: Sequence[Candidate]
    settings: GridSearch
    seed: int
    features: Sequence[tuple[object, ...]]  # values that mean missing, categories, parts of dates

    @classmethod
    def of(cls, table: Table, asked: GridSearch, seed: int, *, size: int | None = None) -> "Search":
        """Define the search of a table; raises PipelineError where it cannot be done on it.

        Auto chooses for so many rows as the table has, or for `size`.
        """
        rows = size or len(table.y)
        n_classes = len(table.contract.classes)
        settings = choice.resolve(asked, rows, encoded_columns(table.contract), n_classes)
        _check_components(settings, rows)
        how, repeats = settings.selection, settings.repeats_for(len(table.y))
        every_fold = repeated_folds(
            table.y, settings.folds, repeats, seed, table.groups, table.times
        )
        check_folds(every_fold, table.y, table.contract.classes, settings.folds)
        repeated = Problem(
            table.X,
            table.y,
            build_transformer(table.contract),
            every_fold,
            approximation(settings, seed),
            how.score,
            in_time=table.times is not None,
        )
        problem = replace(repeated, folds=repeated.folds[: settings.folds])
        candidates = candidates_of(settings)
        features = [(f.missing_numbers, f.code_count, *f.parts) for f in table.contract.features]
        return cls(problem, repeated, candidates, settings, seed, features)

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
    def selection(self) -> Selection:
        return self.settings.selection

    @property
    def svms(self) -> int:
        return svm_count(self.problem.n_classes)

    @property
    def repeats(self) -> int:
        return len(self.repeated.folds) // len(self.problem.folds)

    @cached_property
    def iterations(self) -> list[Part]:
        """Return what is scored before the finalists; the grid has one iteration."""
        rows, n_folds = self.problem.shape.training, len(self.problem.folds)
        if self.settings.strategy == "grid":
            return [Part(n_folds, len(self.candidates), rows, self.svms)]
        share = rows / len(self.problem.y)
        planned = schedule(self.problem, len(self.candidates), self.halving)
        return [Part(n_folds, one.candidates, share * one.rows, self.svms) for one in planned]

    @property
    def evaluations(self) -> list[int]:
        """Return the number of candidates that each iteration scores."""
        return [part.candidates for part in self.iterations]

    @property
    def finalists(self) -> int:
        """Return the number of candidates that are scored on all repeats."""
        if self.settings.rule == "tutorial":
            return 1
        return min(final_count(len(self.candidates), self.svms), self.evaluations[-1])

    @property
    def parts(self) -> list[Part]:
        """Return what is scored one after the other: the iterations, then the finalists."""
        rows = self.problem.shape.training
        last = Part(len(self.repeated.folds), self.finalists, rows, self.svms)
        return [*self.iterations, last]

    @property
    def fits(self) -> int:
        """Count the SVMs to be fitted: a candidate's, for every fold that it is scored on."""
        return sum(part.fits for part in self.parts)

    @property
    def workload(self) -> Workload:
        gammas = Counter(candidate.gamma for candidate in self.candidates)
        hardest = self.problem.hardest_gamma()
        return Workload(self.parts, gammas, hardest, components_of(self.settings))

    @property
    def resolved(self) -> dict[str, str]:
        """Return what the search does where the settings may say auto, as parameters of a run."""
        return {
            "search.strategy": self.settings.strategy,
            "search.approximation": self.settings.approximation,
            "search.components": str(components_of(self.settings) or "none"),
        }

    @property
    def halving(self) -> Halving:
        return Halving(self.settings.halving_factor, self.settings.halving_min_rows, self.seed)

    def run(self, run: Runner, watch: Callbacks) -> Outcome:
        """Score the candidates by the strategy that is asked for, and choose the winner."""
        results = self._score(run, watch)
        finals = self._finals(results, run, watch)
        losses = self._log_losses(finals)
        latest = {result.candidate: result for result in (*results, *finals)}
        table = results_table([*latest.values()], self.selection.rank_by, losses)
        winner = latest[candidate_of(dict(table.iloc[0]))]
        folds = scored_folds(winner, self.repeated, len(self.problem.folds))
        return Outcome(table, winner.candidate, folds)

    def _score(self, run: Runner, watch: Callbacks) -> list[Result]:
        if self.settings.strategy == "grid":
            results = exhaustive(self.problem, self.candidates, run, watch)
            return self._widened(results, run, watch)
        rank_by = self.selection.rank_by
        return halving(self.problem, self.candidates, run, watch, self.halving, rank_by)

    def _widened(self, results: list[Result], run: Runner, watch: Callbacks) -> list[Result]:
        """Add values to the grid where its best candidate stands on the edge."""
        step = Step([], [])
        for _ in range(MOST_STEPS if self.settings.widens else 0):
            step = next_step(results, self.selection.rank_by)
            if not step.candidates:
                break
            results += exhaustive(self.problem, step.candidates, run, watch)
        for edge in step.too_long:
            _tell_too_long(edge)
        return results

    def _finals(self, results: Sequence[Result], run: Runner, watch: Callbacks) -> list[Result]:
        """Score the best candidates on all repeats, and on all rows."""
        best = in_order(results, self.selection.rank_by)[0]
        chosen = [best]
        if self.settings.rule == "one_se":
            chosen = finalists(results, self.selection.rank_by, self.svms)
        return cross_validated(self.repeated, chosen, run, watch.scored)

    def _log_losses(self, finals: Sequence[Result]) -> dict[Candidate, float]:
        """Return the log loss of those that score alike; the tutorial's rule asks for none."""
        if self.settings.rule == "tutorial":
            return {}
        folds = len(self.problem.folds)
        alike = within_one_error(finals, folds, self.selection.rank_by)
        return log_losses(alike, self.repeated, folds)


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


def run_search(search: Search, checkpoint: Checkpoint, watch: Callbacks) -> Outcome:
    """Run a search, from where it was left, and say how."""
    with runner(search) as (run, plan):
        _tell(plan, checkpoint)
        return search.run(checkpoint.resumed(run), watch)


def memory_limit(settings: GridSearch) -> int:
    """Return the limit in bytes: as set, or a quarter of what this machine or container has."""
    given = _given_limit(settings)
    if given is not None:
        return given
    total = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        total = min(total, int(CGROUP_LIMIT.read_text(encoding="utf-8")))
    return int(SHARE_OF_MEMORY * total)


def _given_limit(settings: GridSearch) -> int | None:
    return None if settings.memory_limit is None else int(settings.memory_limit * 1e9)


def approximation(settings: GridSearch, seed: int) -> Nystroem | None:
    """Return the approximation of resolved settings; the exact SVM has none."""
    components = components_of(settings)
    return None if components is None else Nystroem(components, seed)


def job_count(search: Search) -> int:
    """Return how many fits may be under way here at once, as for the search."""
    limit = memory_limit(search.settings)
    return make_plan(search.problem.shape, joblib.cpu_count(), limit).jobs


def _check_components(settings: GridSearch, rows: int) -> None:
    fewest = int(rows * (1 - 1 / settings.folds))
    components = components_of(settings)
    if components is not None and components > fewest:
        raise PipelineError(
            f"grid_search.components is {components}, but of {rows} training rows only "
            f"{fewest} are left in the smallest fold: lower it, or set grid_search.approximation "
            "to none in params.yaml"
        )


def _tell(plan: Plan, checkpoint: Checkpoint) -> None:
    of_each = f" on each of {plan.workers} workers" * (plan.workers > 1)
    print(
        f"grid search: {plan.at_once} at once, {plan.layout.value}; "
        f"at most {plan.bytes / 1e9:.2g} GB{of_each}",
        file=sys.stderr,
    )
    finished = checkpoint.finished()
    if finished:
        print(f"grid search: goes on after {finished} finished units", file=sys.stderr)


def _tell_too_long(edge: Edge) -> None:
    print(
        f"grid search: the best has the {edge.end} {edge.axis}, {edge.value:g}; "
        f"{edge.next_value:g} may be better, but would double the time: set "
        f"grid_search.{edge.axis} in params.yaml to try it",
        file=sys.stderr,
    )


def _code() -> list[Path]:
    """List the files whose code the scores depend on."""
    folder = Path(pipeline.search.__file__).parent
    others = [metrics.__file__, estimator.__file__, folds.__file__]
    return [*sorted(folder.glob("*.py")), *map(Path, others)]
