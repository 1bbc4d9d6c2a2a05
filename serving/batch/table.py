"""A table to score, in chunks: what a file is read as, whatever its format."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import pyarrow as pa

from serving.batch.chunk_scoring import Part
from serving.model.reading import Read

CHUNK_BYTES = 2**21  # of a chunk as it comes; what is made of it is a small multiple
CHUNK_CELLS = 2**20


class ScoringError(Exception):
    """A file cannot be scored; the message says why in one sentence."""


class Chunk(NamedTuple):
    """Some rows, read but not parsed yet; `share` of the file has been read with them."""

    parse: Callable[[], Part]
    share: float


class Table(Protocol):
    """A table with a column for each feature: `places` says which.

    `newline` ends its lines, where they are to be written as text; `read` says how its text is
    written.
    """

    schema: pa.Schema
    places: list[int]
    newline: str
    read: Read

    def chunks(self) -> Iterator[Chunk]: ...
