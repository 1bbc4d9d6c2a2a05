"""A sheet of an Excel workbook in chunks."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa

from serving.batch.chunk_scoring import Part
from serving.batch.table import CHUNK_CELLS, Chunk, ScoringError
from serving.formats.csv_records import Record
from serving.formats.csv_table import find_format, places, read_header
from serving.model.contract import Contract
from serving.model.reading import Read, of_typed_cells
from serving.tables.excel import read_sheet
from serving.tables.kinds import TableError


class ExcelFile:
    """An open workbook: its first sheet that has cells, as text.

    Raises ServingError for one without the contract's columns, ScoringError for one that is none.
    """

    newline = "\n"

    def __init__(self, contract: Contract, path: Path) -> None:
        try:
            self._rows = read_sheet(path).rows
        except TableError as error:
            raise ScoringError(f"{path} {error}.") from error
        read = find_format(contract, self._first)
        header = _named(read_header(contract, self._first(read)))
        self._rows = [row for row in self._rows[self._start(read) + 1 :] if _has_value(row)]
        self.read = of_typed_cells(contract.table_format)
        self.places = places(contract, header)
        self.schema = pa.schema([(name, pa.string()) for name in header])

    def chunks(self) -> Iterator[Chunk]:
        step = max(1, CHUNK_CELLS // len(self.schema))
        for start in range(0, len(self._rows), step):
            rows = self._rows[start : start + step]
            yield Chunk(partial(self._part, rows), (start + len(rows)) / len(self._rows))

    def _part(self, rows: list[list[str]]) -> Part:
        columns = list(zip(*rows, strict=True))[: len(self.schema)]
        arrays = [pa.array(column, pa.string()) for column in columns]
        return Part(pa.record_batch(arrays, schema=self.schema), {})

    def _first(self, read: Read) -> Record | None:
        start = self._start(read)
        return self._rows[start] if start < len(self._rows) else None

    def _start(self, read: Read) -> int:
        """Return the place of the header: the first row with a value below those to skip."""
        rows = range(read.skip, len(self._rows))
        return next((place for place in rows if _has_value(self._rows[place])), len(self._rows))


def _named(header: list[str]) -> list[str]:
    """Return a header without the empty cells at its end."""
    return header[: max(place + 1 for place, name in enumerate(header) if name.strip())]


def _has_value(row: list[str]) -> bool:
    return any(text.strip() for text in row)
