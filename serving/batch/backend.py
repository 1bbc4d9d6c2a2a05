"""Backends of `score`: chunks in, answered parts out, in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from serving.batch.chunk_scoring import Answered
from serving.batch.table import Chunk, Table

Result = Callable[[], Answered]


class Step(NamedTuple):
    """An answered part, and the share of the file that has been read when it is done."""

    answered: Answered
    share: float


class Backend(Protocol):
    @property
    def threads(self) -> int:
        """How many chunks are worked on at once."""

    def answer(self, table: Table) -> Iterator[Step]:
        """Answer a table's chunks in their order, with a few of them in memory at once."""


def in_order(
    start: Callable[[Chunk], Result], chunks: Iterable[Chunk], most: int
) -> Iterator[Step]:
    """Start the work on chunks, `most` at once, and give each one's result when it is its turn."""
    started: deque[tuple[Result, float]] = deque()
    for chunk in chunks:
        started.append((start(chunk), chunk.share))
        if len(started) == most:
            result, share = started.popleft()
            yield Step(result(), share)
    for result, share in started:
        yield Step(result(), share)
