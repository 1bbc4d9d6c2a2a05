"""Answer on a Dask cluster, whose workers need numpy and onnxruntime, and nothing of ours.

Here the file is read, rows are held to the contract and answers are written; what goes to a worker
is a matrix of numbers, and the model with the code that runs it. The scheduler keeps both until the
answers are here, so that what a lost worker had is done by another.
"""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from serving.batch.backend import Result, Step, in_order
from serving.batch.chunk_scoring import NO_ANSWERS, Answered, Prepared, finish, prepare
from serving.batch.explaining import Explaining
from serving.batch.table import Chunk, ScoringError, Table
from serving.batch.worker_code import Sent, runner, to_bytes, versions_here
from serving.model.contract import Contract, FloatMatrix
from serving.model.explanation import Explanation

CONNECT_S, CLOSE_S = 10, 2
PATIENCE_S = 60.0  # for a first worker, and for one to come back
AHEAD = 2  # chunks for each thread of the workers
FEWEST = 8  # chunks under way, so that there is work for workers that come later
QUIET = {"distributed.admin.large-graph-warning-threshold": "1GB"}


class Cluster:
    """A Dask scheduler with workers, which answer with one model.

    Where answers are explained, `explanation` is the file that this takes.
    """

    def __init__(
        self,
        client: Any,
        scheduler: str,
        contract: Contract,
        model: bytes,
        explaining: Explaining | None = None,
        explanation: bytes = b"",
    ) -> None:
        self._client, self._scheduler, self._contract = client, scheduler, contract
        self._explaining = explaining
        explainer = None if explaining is None else explaining.explainer
        # With a key of its own it goes to each worker once.
        code = to_bytes(model, explainer, explanation)
        self._code = client.submit(bytes, code, pure=False)

    @property
    def threads(self) -> int:
        return sum(self._client.nthreads().values())

    def answer(self, table: Table) -> Iterator[Step]:
        def start(chunk: Chunk) -> Result:
            prepared = prepare(self._contract, table.places, chunk.parse(), table.read)
            future = self._start(prepared.values) if len(prepared.values) else None
            return lambda: self._finish(prepared, self._result(future))

        chunks = table.chunks()
        if self._explaining is not None:
            chunks = self._explaining.pieces(chunks)
        return in_order(start, chunks, max(FEWEST, AHEAD * self.threads))

    def _finish(self, prepared: Prepared, sent: Sent) -> Answered:
        labels, probabilities, parts = sent
        answered = finish(self._contract, prepared, (labels, probabilities))
        if self._explaining is None:
            return answered
        background = self._explaining.explainer.background
        explanation = None if parts is None else Explanation(*parts, background)
        return self._explaining.add(answered, explanation)

    def _start(self, values: FloatMatrix) -> Any:
        try:
            return self._client.submit(runner(), self._code, values, pure=False)
        except OSError as error:
            raise self._away() from error

    def _result(self, future: Any) -> Sent:
        """Wait for the answers as long as there are workers."""
        if future is None:
            return (*NO_ANSWERS, None)
        seen = time.monotonic()
        while time.monotonic() - seen < PATIENCE_S:
            try:
                labels, probabilities, parts = future.result(timeout=1)
            except TimeoutError:
                if self._has_workers():
                    seen = time.monotonic()
            except (CancelledError, OSError) as error:
                raise self._away() from error
            except Exception as error:
                raise self._failed(error) from error
            else:
                return labels, probabilities, parts
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
def connect(
    scheduler: str,
    contract: Contract,
    model: bytes,
    explaining: Explaining | None = None,
    explanation: bytes = b"",
) -> Iterator[Cluster]:
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
            yield Cluster(client, scheduler, contract, model, explaining, explanation)
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
    _check_versions(versions_here()(), client.run(versions_here(), on_error="ignore"))


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
