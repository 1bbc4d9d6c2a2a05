"""Answered rows -> a CSV or a Parquet file, and the refused ones -> a CSV file."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from serving.batch.arrow_columns import decoded, is_text
from serving.batch.chunk_scoring import Answered
from serving.batch.table import ScoringError, Table
from serving.files import new_file
from serving.model.contract import Contract
from serving.model.reading import Read
from serving.model.scorer import probability_outputs

GROUP_ROWS, GROUP_BYTES = 2**17, 2**25  # of a row group; what is smaller is collected

REJECTS = ("row", "reason")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Raise ScoringError with the name of the file that could not be written."""
    try:
        yield
    except OSError as error:
        raise ScoringError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is there once the block has ended well; raises ScoringError.

    Errors within the block are not the file's, and are raised as they are.
    """
    with ExitStack() as stack:
        with naming(path):
            file = stack.enter_context(new_file(path))
        yield file
        with naming(path):
            stack.close()


class Output(Protocol):
    def write(self, answered: Answered) -> None:
        """Write the rows that have answers, as they came, with the answers behind them."""

    def close(self) -> None:
        """Write what is still to write."""

    def abandon(self) -> None:
        """Leave the file as it is."""


class CsvOutput:
    def __init__(
        self, path: Path, file: BinaryIO, table: Table, answers: list[str], contract: Contract
    ) -> None:
        self._path, self._file, self._newline, self._read = path, file, table.newline, table.read
        self._probabilities = probability_outputs(contract)
        # As text, a class is as it is in `classes`, a boolean as well.
        self._labels = to_text(pa.array(map(str, contract.classes)), table.read.separator)
        self._write(_header([*table.schema.names, *answers], table.read))

    def write(self, answered: Answered) -> None:
        separator = self._read.separator
        columns = [to_text(column, separator) for column in answered.scored.columns]
        labels = self._labels.take(pa.array(answered.labels))
        warnings = to_text(pa.array(answered.warnings, pa.string()), separator)
        probabilities = map(self._to_cells, _by_column(answered, self._probabilities))
        explanations = map(self._to_cells, answered.explanations)
        self._write([*columns, labels, *probabilities, warnings, *explanations])

    def _to_cells(self, numbers: npt.NDArray[np.float64]) -> pa.Array:
        text = numbers_to_text(numbers)
        if self._read.decimal == ",":
            return to_text(pc.replace_substring(text, ".", ","), self._read.separator)
        return text

    def close(self) -> None:
        with naming(self._path):
            self._file.flush()

    def abandon(self) -> None: ...

    def _write(self, columns: list[pa.Array]) -> None:
        with naming(self._path):
            self._file.write(to_lines(columns, self._newline, self._read.separator))


class ParquetOutput:
    def __init__(
        self, path: Path, file: BinaryIO, table: Table, answers: list[str], contract: Contract
    ) -> None:
        self._labels = labels_to_array(contract)
        self._probabilities = probability_outputs(contract)
        kinds = [pa.float64()] * len(answers)
        kinds[0], kinds[1 + len(self._probabilities)] = self._labels.type, pa.string()
        fields = [*table.schema, *map(pa.field, answers, kinds)]
        self._schema = pa.schema(fields, table.schema.metadata)
        self._path, self._file = path, file
        self._writer = parquet.ParquetWriter(file, self._schema)
        self._waiting: list[pa.RecordBatch] = []

    def write(self, answered: Answered) -> None:
        columns = [
            *answered.scored.columns,
            self._labels.take(pa.array(answered.labels)),
            *map(pa.array, _by_column(answered, self._probabilities)),
            pa.array(answered.warnings, pa.string()),
            *map(pa.array, answered.explanations),
        ]
        self._waiting.append(pa.record_batch(columns, schema=self._schema))
        rows = sum(batch.num_rows for batch in self._waiting)
        if rows >= GROUP_ROWS or sum(batch.nbytes for batch in self._waiting) >= GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        self._write_group()
        with naming(self._path):
            self._writer.close()
            self._file.flush()

    def abandon(self) -> None:
        self._writer.is_open = False  # else it would write to the file when it is collected

    def _write_group(self) -> None:
        group = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting = []
        with naming(self._path):
            if group.num_rows:
                self._writer.write_table(group, row_group_size=group.num_rows)


class Rejects:
    """The refused rows as they came, behind their number, from 1, and what is wrong with them."""

    def __init__(self, path: Path, file: BinaryIO, table: Table) -> None:
        self._path, self._file, self._newline, self._read = path, file, table.newline, table.read
        taken = any(name.strip() in REJECTS for name in table.schema.names)
        added = [f"rejected_{name}" if taken else name for name in REJECTS]
        self._write(_header([*added, *table.schema.names], table.read))

    def write(self, answered: Answered, before: int) -> None:
        """Write a part's refused rows; `before` is the number of rows before the part."""
        if not answered.refused:
            return
        places = sorted(answered.refused)
        numbers = to_text(pa.array([before + place + 1 for place in places]))
        separator = self._read.separator
        reasons = to_text(pa.array([answered.refused[place] for place in places]), separator)
        rows = answered.rows.take(pa.array(places))
        self._write([numbers, reasons, *(to_text(column, separator) for column in rows.columns)])

    def _write(self, columns: list[pa.Array]) -> None:
        with naming(self._path):
            self._file.write(to_lines(columns, self._newline, self._read.separator))


OUTPUTS: dict[str, type[CsvOutput | ParquetOutput]] = {
    ".csv": CsvOutput,
    ".parquet": ParquetOutput,
}


def check_fit(table: Table, source: Path, target: Path) -> None:
    """Raise ScoringError where a format cannot hold the table's columns."""
    if target.suffix.lower() == ".parquet":
        if [name.strip() for name in table.schema.names].count("") > 1:
            raise ScoringError(
                f"{source} has several columns without a name, which Parquet cannot tell apart: "
                "name them, or write CSV."
            )
        return
    for field in table.schema:
        if not has_text(field.type):
            raise ScoringError(
                f"{source} has {field.type} in the column {field.name}, which CSV ({target}) "
                "cannot hold: leave it out, or write Parquet."
            )


def _header(names: list[str], read: Read) -> list[pa.Array]:
    return [to_text(pa.array([name]), read.separator) for name in names]


def has_text(kind: pa.DataType) -> bool:
    """True if CSV can hold a column of this type."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    plain = pa.types.is_primitive(kind) and not pa.types.is_interval(kind)
    return bool(plain or is_text(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind))


def to_text(column: pa.Array, separator: str = ",") -> pa.Array:
    """Write a column's values as cells, quoted where they have to be; null is an empty one."""
    text = pc.fill_null(pc.cast(decoded(column), pa.string()), "")
    return _quoted(text, separator)


def _by_column(answered: Answered, names: list[str]) -> npt.NDArray[np.float64]:
    """Return the probabilities `[columns, rows]`; `names` are the model's for these columns."""
    shape = (len(answered.labels), len(names))
    return np.ascontiguousarray(answered.probabilities.reshape(shape).T)


def labels_to_array(contract: Contract) -> pa.Array:
    """Return the labels of answers: texts where one is a text, else whole numbers or booleans."""
    labels = contract.labels
    some_text = any(isinstance(label, str) for label in labels)
    return pa.array(map(str, labels) if some_text else labels)


def numbers_to_text(values: npt.NDArray[np.float64]) -> pa.Array:
    """Write each as the shortest text that reads back the same, in the form that `repr` gives."""
    text = pc.cast(pa.array(values), pa.string())
    # Arrow has another form for what is very small, or a whole number.
    size = np.abs(values)
    other = ~((size >= 1e-4) & (size < 1))
    if not other.any():
        return text
    said = pa.array([repr(value) for value in values[other].tolist()], pa.string())
    return pc.replace_with_mask(text, pa.array(other), said)


def to_lines(columns: list[pa.Array], newline: str, separator: str = ",") -> memoryview:
    """Join columns of text to lines."""
    last = pc.binary_join_element_wise(columns[-1], newline, "")
    lines = pc.binary_join_element_wise(*columns[:-1], last, separator)
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(lines) + 1)
    return memoryview(data)[ends[0] : ends[-1]] if len(lines) else memoryview(b"")


def _quoted(text: pa.Array, separator: str) -> pa.Array:
    data = text.buffers()[2]
    content = data.to_pybytes() if data is not None else b""
    if not any(char.encode() in content for char in ('"', "\r", "\n", separator)):
        return text
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
    return pc.if_else(
        pc.match_substring_regex(text, f'["\r\n]|{re.escape(separator)}'), quoted, text
    )
