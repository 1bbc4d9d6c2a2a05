"""Run units on this machine's cores."""

import warnings
from collections.abc import Iterator, Sequence

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from pipeline.search.kernel import Buffers, Distances, distances
from pipeline.search.memory import Layout, Plan
from pipeline.search.problem import Prepared, Problem
from pipeline.search.solve import Method, solve_unit
from pipeline.search.units import Done, Unit


def run(problem: Problem, plan: Plan, units: Sequence[Unit]) -> Iterator[Done]:
    """Yield each unit's scores as it is done, in no order.

    libsvm and the linear algebra release the interpreter's lock, so threads do, and share what is
    prepared; the libraries' own threads would only contend, and are held to one meanwhile.
    """
    parallel = Parallel(n_jobs=plan.jobs, backend="threading", return_as="generator_unordered")
    with threadpool_limits(limits=1):
        wanted = sorted({unit.fold for unit in units})
        prepared = dict(parallel(delayed(_prepare)(problem, plan, fold) for fold in wanted))

        method = Method(problem.approximation, problem.scoring)
        buffers = Buffers()

        def solve(unit: Unit) -> Done:
            fold, shared = prepared[unit.fold]
            return unit, solve_unit(fold, unit, plan, method, shared, buffers)

        results = parallel(delayed(solve)(unit) for unit in units)
        try:
            # Not `yield from`, which would close the results before `finally` does.
            for done in results:  # noqa: UP028
                yield done
        finally:
            with warnings.catch_warnings():
                # Who stops early knows that what was under way is lost.
                warnings.simplefilter("ignore")
                results.close()


def _prepare(
    problem: Problem, plan: Plan, fold: int
) -> tuple[int, tuple[Prepared, Distances | None]]:
    prepared = problem.prepared(fold)
    shared = distances(prepared.A, prepared.B) if plan.layout is Layout.SHARED else None
    return fold, (prepared, shared)
