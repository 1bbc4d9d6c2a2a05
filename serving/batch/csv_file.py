"""A CSV file in chunks, read by the rules of `formats.csvtable`.

Most tables are parsed by Arrow, many lines at once. What it does not take, or might take for
something else, is read record by record. Both give the same cells, all of them text.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from serving.batch.chunk_scoring import Part
from serving.batch.table import CHUNK_BYTES, Chunk, ScoringError
from serving.formats.csv_records import Fault, Lines, Record, check_length, read_records
from serving.formats.csv_table import places, read_header
from serving.model.contract import Contract

BOM = b"\xef\xbb\xbf"
LONGEST_LINE = 2**26
# Fields that are quoted from end to end, or have no quote in them.
FIELD = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^",\r\n]*+)'
RECORDS = re.compile(rb"(?:(?:%b,)*+%b\r?\n)*+" % (FIELD, FIELD))
PLAIN = arrow_csv.ParseOptions(quote_char=False, double_quote=False)
QUOTED = arrow_csv.ParseOptions(quote_char='"', double_quote=True, newlines_in_values=True)


class CsvFile:
    """An open CSV file, behind its header; raises ServingError for one that has no such header."""

    def __init__(self, contract: Contract, path: Path, file: BinaryIO) -> None:
        self._blocks, self._file = _Blocks(path, file), file
        self._size = path.stat().st_size
        lines = Lines(_decode(self._blocks.take().removeprefix(BOM)), self._next_text)
        header = read_header(contract, next(map(_decoded, read_records(lines)), None))
        self._blocks.give_back(_encode(lines.rest()))
        self.places = places(contract, header)
        self.schema = pa.schema([(name, pa.string()) for name in header])
        self.newline = "\r\n" if "\r" in lines.last[-2:] else "\n"

    def chunks(self) -> Iterator[Chunk]:
        while block := self._blocks.take():
            # Only reading on tells where a record ends, except one whose quotes are all in place.
            if whole := _whole_records(block):
                self._blocks.give_back(block[whole:])
                parse = partial(_from_block, self.schema, block[:whole])
            else:
                parse = partial(_from_records, self.schema, self._read_records(block))
            yield Chunk(parse, min(1.0, self._file.tell() / self._size))

    def _read_records(self, block: bytes) -> list[Record]:
        """Read the records that begin in a block."""
        lines = Lines(_decode(block), self._next_text)
        found: list[Record] = []
        records = read_records(lines)
        while lines.at < lines.first and (record := next(records, None)) is not None:
            found.append(record)
        self._blocks.give_back(_encode(lines.rest()))
        return found

    def _next_text(self) -> str:
        return _decode(self._blocks.take())


class _Blocks:
    """A file's bytes, cut where lines end."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._tail = b""

    def take(self) -> bytes:
        """Return some more lines; none at the end of the file."""
        while piece := self._read():
            self._tail += piece
            if end := _end_of_lines(self._tail):
                block, self._tail = self._tail[:end], self._tail[end:]
                return block
            if len(self._tail) > LONGEST_LINE:
                raise ScoringError(f"{self._path} has a line of more than 64 MB: is it a table?")
        block, self._tail = self._tail, b""
        return block

    def give_back(self, lines: bytes) -> None:
        """Take back what was not used of what `take` gave last."""
        self._tail = lines + self._tail

    def _read(self) -> bytes:
        try:
            return self._file.read(CHUNK_BYTES)
        except OSError as error:
            raise ScoringError(f"{self._path} cannot be read on: {error.strerror}.") from error


def _whole_records(block: bytes) -> int:
    """Return the length of the records at a block's start that can be told from one another."""
    if b'"' not in block:
        return len(block)
    found = RECORDS.match(block)
    return found.end() if found else 0


def _end_of_lines(data: bytes) -> int:
    # Some old tables have \r alone.
    return (data.rfind(b"\n") + 1) or (data.rfind(b"\r") + 1)


def _from_block(schema: pa.Schema, block: bytes) -> Part:
    plain = _parse_plain(schema, block)
    if plain is not None:
        return Part(plain, {})
    return _from_records(schema, list(read_records(Lines(_decode(block)))))


def _parse_plain(schema: pa.Schema, block: bytes) -> pa.RecordBatch | None:
    """Parse whole records; None where they are not all of the header's length."""
    if len(schema) == 1:
        return None  # an empty line and an empty cell look alike
    names = [str(i) for i in range(len(schema))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
            QUOTED if b'"' in block else PLAIN,
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks() for column in table.columns]
    return pa.record_batch(columns, schema=schema)


def _from_records(schema: pa.Schema, records: list[Record]) -> Part:
    width = len(schema)
    checked = [check_length(_decoded(record), width) for record in records]
    faults = {i: record.detail for i, record in enumerate(checked) if isinstance(record, Fault)}
    # What is wrong is carried along as far as it was read, to be shown.
    padded = [
        (record.cells + [""] * width)[:width] if isinstance(record, Fault) else record
        for record in checked
    ]
    columns = zip(*padded, strict=True) if padded else [()] * width
    arrays = [pa.array(column, pa.string()) for column in columns]
    return Part(pa.record_batch(arrays, schema=schema), faults)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decoded(record: Record) -> Record:
    """Return the record, or the fault that it is not UTF-8; its other bytes are written out."""
    cells = record.cells if isinstance(record, Fault) else record
    try:
        "".join(cells).encode()
    except UnicodeEncodeError as error:
        byte = ord(error.object[error.start]) - 0xDC00
        readable = [_encode(cell).decode("utf-8", "backslashreplace") for cell in cells]
        return Fault(f"is not UTF-8 (byte {byte:#04x}): save the table as CSV UTF-8", readable)
    return record
