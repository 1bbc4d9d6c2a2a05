"""Answer on this machine's cores, in threads: what takes the time holds no lock of Python's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from serving.batch.backend import Result, Step, in_order
from serving.batch.chunk_scoring import NO_ANSWERS, Answered, finish, prepare
from serving.batch.explaining import Explaining
from serving.batch.table import Chunk, Table
from serving.model.scorer import Scorer

AHEAD = 2  # chunks that are read or wait to be written, beside those at work


class Local:
    """`jobs` threads of this process."""

    def __init__(self, scorer: Scorer, jobs: int, explaining: Explaining | None = None) -> None:
        self._scorer, self._jobs, self._explaining = scorer, jobs, explaining

    @property
    def threads(self) -> int:
        return self._jobs

    def answer(self, table: Table) -> Iterator[Step]:
        chunks = table.chunks()
        if self._explaining is not None:
            chunks = self._explaining.pieces(chunks)
        if self._jobs == 1:
            return (Step(self._work(table, chunk), chunk.share) for chunk in chunks)
        return self._in_threads(table, chunks)

    def _in_threads(self, table: Table, chunks: Iterator[Chunk]) -> Iterator[Step]:
        threads = ThreadPoolExecutor(self._jobs)

        def start(chunk: Chunk) -> Result:
            return threads.submit(self._work, table, chunk).result

        try:
            yield from in_order(start, chunks, self._jobs + AHEAD)
        finally:
            threads.shutdown(cancel_futures=True)

    def _work(self, table: Table, chunk: Chunk) -> Answered:
        contract = self._scorer.contract
        prepared = prepare(contract, table.places, chunk.parse(), table.read)
        values = prepared.values
        answers = self._scorer.score(values) if len(values) else NO_ANSWERS
        answered = finish(contract, prepared, answers)
        if self._explaining is None:
            return answered
        return self._explaining.add(answered, self._explaining.explain(values, answers[1]))
