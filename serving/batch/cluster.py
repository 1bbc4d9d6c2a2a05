"""Answer on a Dask cluster, whose workers need numpy and onnxruntime, and nothing of ours.

Here the file is read, rows are held to the contract and answers are written; what goes to a worker
is a matrix of numbers, and the model with the code that runs it. The scheduler keeps both until the
answers are here, so that what a lost worker had is done by another.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

import serving
from serving.batch.backend import Result, Step, in_order
from serving.batch.chunk_scoring import NO_ANSWERS, finish, prepare
from serving.batch.table import Chunk, ScoringError, Table
from serving.model.contract import Contract, FloatMatrix
from serving.model.scorer import Answers, run_session
from serving.model.session import open_session

CONNECT_S, CLOSE_S = 10, 2
PATIENCE_S = 60.0  # for a first worker, and for one to come back
AHEAD = 2  # chunks for each thread of the workers
FEWEST = 8  # chunks under way, so that there is work for workers that come later
QUIET = {"distributed.admin.large-graph-warning-threshold": "1GB"}


class Cluster:
    """A Dask scheduler with workers, which answer with one model."""

    def __init__(self, client: Any, scheduler: str, contract: Contract, model: bytes) -> None:
        self._client, self._scheduler, self._contract = client, scheduler, contract
        # With a key of its own it goes to each worker once.
        self._model = client.submit(bytes, _by_value(model), pure=False)

    def answer(self, table: Table) -> Iterator[Step]:
        threads = sum(self._client.nthreads().values())

        def start(chunk: Chunk) -> Result:
            prepared = prepare(self._contract, table.places, chunk.parse(), table.read)
            future = self._start(prepared.values) if len(prepared.values) else None
            return lambda: finish(self._contract, prepared, self._result(future))

        return in_order(start, table.chunks(), max(FEWEST, AHEAD * threads))

    def _start(self, values: FloatMatrix) -> Any:
        try:
            return self._client.submit(_runner(), self._model, values, pure=False)
        except OSError as error:
            raise self._away() from error

    def _result(self, future: Any) -> Answers:
        """Wait for the answers as long as there are workers."""
        if future is None:
            return NO_ANSWERS
        seen = time.monotonic()
        while time.monotonic() - seen < PATIENCE_S:
            try:
                labels, probabilities = future.result(timeout=1)
            except TimeoutError:
                if self._has_workers():
                    seen = time.monotonic()
            except (CancelledError, OSError) as error:
                raise self._away() from error
            except Exception as error:
                raise self._failed(error) from error
            else:
                return labels, probabilities
        raise ScoringError(
            f"The scheduler at {self._scheduler} has lost all its workers: start some with "
            f"`dask worker {self._scheduler}`, and score again."
        )

    def _has_workers(self) -> bool:
        try:
            return bool(self._client.nthreads())
        except OSError as error:
            raise self._away() from error

    def _away(self) -> ScoringError:
        return ScoringError(
            f"The Dask scheduler at {self._scheduler} went away: start it again, or score with "
            "--backend local."
        )

    def _failed(self, error: Exception) -> ScoringError:
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            return ScoringError(
                f"Rows took several workers at {self._scheduler} down with them, for want of "
                "memory, most likely: give them more."
            )
        return ScoringError(
            f"A worker at {self._scheduler} cannot answer: {type(error).__name__}: {error}."
        )


@contextmanager
def connect(scheduler: str, contract: Contract, model: bytes) -> Iterator[Cluster]:
    """Connect to a Dask scheduler, and hold its workers to what is installed here."""
    try:
        import dask
        import distributed
    except ImportError as error:
        raise ScoringError(
            "--backend dask needs Dask, which is not installed: type `make install-dask`, or "
            "`pip install distributed`."
        ) from error
    _silence()
    with dask.config.set(QUIET):
        client = _client(distributed, scheduler)
        try:
            _check_workers(client, scheduler)
            yield Cluster(client, scheduler, contract, model)
        finally:
            client.close(timeout=CLOSE_S)


def _client(distributed: Any, scheduler: str) -> Any:
    # Left to itself, a client without certificates fails on its own failure, twenty seconds later.
    context = distributed.Security().get_connection_args("client").get("ssl_context")
    if scheduler.startswith("tls") and context is None:
        raise ScoringError(
            f"{scheduler} needs certificates: Dask's configuration, distributed.comm.tls, has none."
        )
    try:
        return distributed.Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ScoringError(
            f"The Dask scheduler at {scheduler} does not answer: start it with `dask scheduler`, "
            "or score with --backend local."
        ) from error


def _check_workers(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError as error:
        raise ScoringError(
            f"The scheduler at {scheduler} has had no worker for {PATIENCE_S:g} s: start some "
            f"with `dask worker {scheduler}`."
        ) from error
    _check_versions(_versions()(), client.run(_versions(), on_error="ignore"))


def _check_versions(ours: dict[str, str], workers: dict[str, dict[str, str]]) -> None:
    for worker, theirs in workers.items():
        for name, version in ours.items():
            if theirs[name] != version:
                found = f"{name} {theirs[name]}" if theirs[name] else f"no {name}"
                raise ScoringError(
                    f"The worker {worker} has {found}, here it is {version}: install the same "
                    "version there."
                )


def _silence() -> None:
    """Keep Dask from logging what is told here in one sentence."""
    for name in logging.root.manager.loggerDict:
        if name.startswith("distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _by_value(model: bytes) -> bytes:
    """Pickle the model and what runs it, with the code itself instead of its modules' names."""
    import cloudpickle

    def answer(values: FloatMatrix) -> Answers:
        return run_session(open_session(model), values)

    cloudpickle.register_pickle_by_value(serving)
    try:
        return bytes(cloudpickle.dumps(answer))
    finally:
        cloudpickle.unregister_pickle_by_value(serving)


# A function inside a function has no name to be imported by: it is sent as it is.
def _runner() -> Callable[[bytes, FloatMatrix], Answers]:
    def run(model: bytes, values: Any) -> Any:
        import os

        import cloudpickle

        # Before onnxruntime is imported, as in our own processes.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        return cloudpickle.loads(model)(values)

    return run


def _versions() -> Callable[[], dict[str, str]]:
    """Return the function that reads the versions that must agree for the same numbers."""
    libraries = ("numpy", "onnxruntime")

    def versions() -> dict[str, str]:
        import importlib
        import os
        import platform

        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        found = {"Python": ".".join(platform.python_version_tuple()[:2])}
        for name in libraries:
            try:
                found[name] = importlib.import_module(name).__version__
            except ImportError:
                found[name] = ""
        return found

    return versions
