"""A CSV file in chunks, read by the rules of `formats.csvtable`.

Most tables are parsed by Arrow, many lines at once. What it does not take, or might take for
something else, is read record by record. Both give the same cells, all of them text.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from serving.batch.chunk_scoring import Part
from serving.batch.table import CHUNK_BYTES, Chunk, ScoringError
from serving.formats.csv_records import Fault, Lines, Record, check_length, read_records
from serving.formats.csv_table import find_format, places, read_header
from serving.model.contract import Contract
from serving.model.reading import Read
from serving.tables.kinds import TableError, reading_compressed

BOM = b"\xef\xbb\xbf"
LONGEST_LINE = 2**26
LONGEST_CELL = csv.field_size_limit()


class CsvFile:
    """An open CSV file, behind its header; raises ServingError for one that has no such header."""

    def __init__(self, contract: Contract, path: Path, raw: BinaryIO, file: BinaryIO) -> None:
        """`file` has the CSV of the file on disk, `raw`, which may have compressed it."""
        self._path, self._raw, self._file = path, raw, file
        self._size = path.stat().st_size
        self.read = find_format(contract, lambda read: self._begin(read)[0])
        record, lines = self._begin(self.read)
        header = read_header(contract, record, self.read)
        self._blocks.give_back(_encode(lines.rest()))
        self.places = places(contract, header)
        self.schema = pa.schema([(name, pa.string()) for name in header])
        self.newline = "\r\n" if "\r" in lines.last[-2:] else "\n"

    def _begin(self, read: Read) -> tuple[Record | None, Lines]:
        """Read the first record, from the start of the file."""
        self._file.seek(0)
        self._blocks = _Blocks(self._path, _as_utf8(self._file, read))
        lines = Lines(_decode(self._blocks.take().removeprefix(BOM)), self._next_text)
        lines.skip(read.skip)
        return next(map(_decoded, read_records(lines, read.separator)), None), lines

    def chunks(self) -> Iterator[Chunk]:
        parser = _Parser(self.schema, self.read)
        while block := self._blocks.take():
            # Only reading on tells where a record ends, except one whose quotes are all in place.
            if whole := parser.whole_records(block):
                self._blocks.give_back(block[whole:])
                parse = partial(parser.from_block, block[:whole])
            else:
                parse = partial(parser.from_records, self._read_records(block))
            yield Chunk(parse, min(1.0, self._raw.tell() / self._size))

    def _read_records(self, block: bytes) -> list[Record]:
        """Read the records that begin in a block."""
        lines = Lines(_decode(block), self._next_text)
        found: list[Record] = []
        records = read_records(lines, self.read.separator)
        while lines.in_first_piece and (record := next(records, None)) is not None:
            found.append(record)
        self._blocks.give_back(_encode(lines.rest()))
        return found

    def _next_text(self) -> str:
        return _decode(self._blocks.take())


def _as_utf8(file: BinaryIO, read: Read) -> BinaryIO:
    """Return a file's bytes as UTF-8, whatever its encoding; those that are not are passed on."""
    if read.encoding == "utf-8":
        return file
    recoded = codecs.EncodedFile(file, "utf-8", read.encoding, errors="surrogateescape")
    return cast(BinaryIO, recoded)


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
            with reading_compressed():
                return self._file.read(CHUNK_BYTES)
        except TableError as error:
            raise ScoringError(f"{self._path} {error}.") from error
        except UnicodeError as error:
            raise ScoringError(f"{self._path} cannot be read on: {error}.") from error
        except OSError as error:
            raise ScoringError(f"{self._path} cannot be read on: {error.strerror}.") from error


def _end_of_lines(data: bytes) -> int:
    # Some old tables have \r alone.
    return (data.rfind(b"\n") + 1) or (data.rfind(b"\r") + 1)


class _Parser:
    """Parses blocks of records that are written as `read` says."""

    def __init__(self, schema: pa.Schema, read: Read) -> None:
        self._schema, self._separator = schema, read.separator
        self._plain = arrow_csv.ParseOptions(
            delimiter=read.separator, quote_char=False, double_quote=False
        )
        self._quoted = arrow_csv.ParseOptions(
            delimiter=read.separator, quote_char='"', double_quote=True, newlines_in_values=True
        )
        # Fields that are quoted from end to end, or have no quote in them.
        separator = re.escape(read.separator.encode())
        field = rb'(?:"[^"]*+(?:""[^"]*+)*+"|[^"%b\r\n]*+)' % separator
        self._records = re.compile(rb"(?:(?:%b%b)*+%b\r?\n)*+" % (field, separator, field))

    def whole_records(self, block: bytes) -> int:
        """Return the length of the records at a block's start that can be told from one another."""
        if b'"' not in block:
            return len(block)
        found = self._records.match(block)
        return found.end() if found else 0

    def from_block(self, block: bytes) -> Part:
        """Parse whole records."""
        rows = self._parse(block)
        if rows is not None:
            return Part(rows, {})
        return self.from_records(list(read_records(Lines(_decode(block)), self._separator)))

    def _parse(self, block: bytes) -> pa.RecordBatch | None:
        """Parse whole records; None if one has not the header's length, or a cell too long."""
        if len(self._schema) == 1:
            return None  # an empty line and an empty cell look alike
        names = [str(i) for i in range(len(self._schema))]
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(block),
                arrow_csv.ReadOptions(
                    use_threads=False, column_names=names, block_size=len(block) + 1
                ),
                self._quoted if b'"' in block else self._plain,
                arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
            )
        except pa.ArrowInvalid:
            return None
        columns = [column.combine_chunks() for column in table.columns]
        if len(block) > LONGEST_CELL and any(map(_may_be_too_long, columns)):
            return None
        return _with_values(pa.record_batch(columns, schema=self._schema))

    def from_records(self, records: list[Record]) -> Part:
        """Return records as rows, with what is wrong with those that are none."""
        width = len(self._schema)
        checked = [check_length(_decoded(record), self._schema.names) for record in records]
        faults = {i: record.detail for i, record in enumerate(checked) if isinstance(record, Fault)}
        # What is wrong is carried along as far as it was read, to be shown.
        padded = [
            (record.cells + [""] * width)[:width] if isinstance(record, Fault) else record
            for record in checked
        ]
        columns = zip(*padded, strict=True) if padded else [()] * width
        arrays = [pa.array(column, pa.string()) for column in columns]
        return Part(pa.record_batch(arrays, schema=self._schema), faults)


def _may_be_too_long(column: pa.Array) -> bool:
    """True if a cell has more bytes than the csv module, as /predict has it, takes characters."""
    return bool(len(column) and pc.max(pc.binary_length(column)).as_py() > LONGEST_CELL)


def _with_values(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that have a value in any column: those of Excel's `,,,` have none."""
    has_value = pc.not_equal(pc.utf8_trim_whitespace(rows.column(0)), "")
    for column in rows.columns[1:]:
        if pc.all(has_value).as_py():
            return rows
        has_value = pc.or_(has_value, pc.not_equal(pc.utf8_trim_whitespace(column), ""))
    return rows.filter(has_value)


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
