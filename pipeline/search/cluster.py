"""Run units on a Dask cluster.

The code goes to the workers with the data, so that they need its libraries only, in the same
versions, and always run what is here. The table is sent once, to every worker.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from importlib.metadata import version
from operator import call, getitem
from platform import python_version
from types import TracebackType
from typing import Any, Self

import pipeline
from pipeline.search.memory import Plan, make_plan
from pipeline.search.problem import Fold, Prepared, Problem
from pipeline.search.solve import Method, solve_unit
from pipeline.search.units import Done, Unit, UnitScores

CONNECT_S = 10
WORKERS_S = 60
LIBRARIES = ("numpy", "scipy", "scikit-learn")
SHARE_OF_WORKER = 0.25
LOSSES = 5  # times that all copies of the table may be lost before we give up


class ClusterError(Exception):
    """A cluster cannot work; the message says why and what to do."""


class Cluster:
    """A connection to a Dask scheduler; `limit` is the memory that a worker may use, in bytes."""

    def __init__(self, scheduler: str, limit: int | None = None) -> None:
        self._scheduler, self._limit = scheduler, limit

    def __enter__(self) -> Self:
        self._client = _connect(self._scheduler)
        try:
            self._check_workers()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def plan(self, problem: Problem) -> Plan:
        """Return the function that each worker runs; it keeps nothing from unit to unit."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        threads = max(worker["nthreads"] for worker in workers)
        smallest = min(worker["memory_limit"] for worker in workers)
        limit = self._limit or int(SHARE_OF_WORKER * smallest)
        plan = make_plan(problem.shape, threads, limit, share=False)
        return replace(plan, workers=len(workers))

    def run(self, problem: Problem, units: Sequence[Unit]) -> Iterator[Done]:
        """Yield each unit's scores as it is done, in no order; lost units are run again."""
        try:
            yield from self._run(problem, units)
        except OSError as error:
            raise ClusterError(
                f"the Dask scheduler at {self._scheduler} went away: start it again; what is "
                "finished is kept, run `dvc repro` to go on"
            ) from error

    def _run(self, problem: Problem, units: Sequence[Unit]) -> Iterator[Done]:
        from distributed import as_completed

        plan, left = self.plan(problem), set(units)
        for _ in range(LOSSES):
            futures = self._submit(problem, plan, left)
            for future in as_completed(futures, loop=self._client.loop):
                if future.status == "error":
                    raise self._failed(future)
                try:
                    found = future.result()
                except CancelledError:  # its worker is gone, and all that it would be redone from
                    continue
                left.discard(futures[future])
                yield futures[future], UnitScores(*found)
            if not left:
                return
        raise ClusterError(
            f"the workers at {self._scheduler} were lost with the table {LOSSES} times: look at "
            "their memory; what is finished is kept, run `dvc repro` to go on"
        )

    def _submit(self, problem: Problem, plan: Plan, units: set[Unit]) -> dict[Any, Unit]:
        import cloudpickle

        client = self._client
        sent = client.scatter(_by_value(problem, plan), broadcast=True, hash=False)
        functions = client.submit(cloudpickle.loads, sent, pure=False)
        prepare, solve = (client.submit(getitem, functions, i, pure=False) for i in (0, 1))
        folds = {
            fold: client.submit(call, prepare, problem.folds[fold], pure=False)
            for fold in {unit.fold for unit in units}
        }
        return {
            client.submit(call, solve, folds[unit.fold], unit.plain(), pure=False): unit
            for unit in units
        }

    def _check_workers(self) -> None:
        from distributed import TimeoutError as NoWorkersError

        try:
            self._client.wait_for_workers(1, timeout=WORKERS_S)
        except NoWorkersError as error:
            raise ClusterError(
                f"the scheduler at {self._scheduler} has had no worker for {WORKERS_S} s: start "
                f"some with `dask worker {self._scheduler}`"
            ) from error
        for library in LIBRARIES:
            self._check_same(library, installed(library), self._client.run(version, library))
        # The code goes there as bytecode, which another minor version does not know.
        minor = {
            worker: _minor(found) for worker, found in self._client.run(python_version).items()
        }
        self._check_same("Python", _minor(python_version()), minor)

    def _check_same(self, what: str, here: str, there: Mapping[str, str]) -> None:
        for worker, found in there.items():
            if found != here:
                raise ClusterError(
                    f"the worker {worker} has {what} {found}, here it is {here}: scores would not "
                    "be the same; install there what requirements-worker.lock says"
                )

    def _failed(self, future: Any) -> Exception:
        from distributed import KilledWorker

        error = future.exception()
        if isinstance(error, KilledWorker):
            return ClusterError(
                f"a unit took several workers at {self._scheduler} down with it, for want of "
                "memory, most likely: lower grid_search.memory_limit"
            )
        return error if isinstance(error, Exception) else RuntimeError(str(error))


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def installed(library: str) -> str:
    return version(library)


def _connect(scheduler: str) -> Any:
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ImportError as error:
        raise ClusterError(
            "grid_search.backend is dask, which is not installed: type `make install-dask`"
        ) from error
    _silence()
    try:
        with warnings.catch_warnings():
            # Of versions that do not matter here: those that do are checked.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"the Dask scheduler at {scheduler} does not answer: start it with `dask scheduler`, "
            "or set grid_search.backend to local in params.yaml"
        ) from error


def _silence() -> None:
    """Keep Dask from logging what is told here in one sentence."""
    for name in logging.root.manager.loggerDict:
        if name.startswith("distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _by_value(problem: Problem, plan: Plan) -> bytes:
    """Pickle what the workers do, with the code itself instead of its modules' names."""
    import cloudpickle

    X, y, transformer = problem.X, problem.y, problem.transformer
    method = Method(problem.approximation, problem.scoring)

    def prepare(fold: Fold) -> Prepared:
        return Problem(X, y, transformer, (fold,)).prepared(0)

    def solve(fold: Prepared, unit: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(solve_unit(fold, Unit.of(unit), plan, method))

    cloudpickle.register_pickle_by_value(pipeline)
    try:
        return bytes(cloudpickle.dumps((prepare, solve)))
    finally:
        cloudpickle.unregister_pickle_by_value(pipeline)
