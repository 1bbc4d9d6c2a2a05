"""The records of a table as text columns, whatever the file was: cleaned of what holds no data."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.problems import SHOWN, listed, refuse
from pipeline.errors import PipelineError
from serving.model.cells import DECIMAL_COMMA, read_number


class TableFile(NamedTuple):
    """A file's cells as they were written `[rows, columns]`, and notes on what was passed over.

    The index of `cells` has each row's number, from 0; empty lines and rows are not counted.
    """

    cells: pd.DataFrame
    notes: tuple[str, ...] = ()


def to_table_file(path: Path, records: pa.Table, notes: Sequence[str] = ()) -> TableFile:
    """Return the cells of records, whose first one is the header, as `with_header` does."""
    if not records.num_rows:
        raise PipelineError(f"{path} is empty: it needs a header and rows")
    header = [str(column[0].as_py()) for column in records.columns]
    return with_header(path, header, records.slice(1), notes)


def with_header(
    path: Path, names: Sequence[str], rows: pa.Table, notes: Sequence[str] = ()
) -> TableFile:
    """Return the cells of rows, without rows and columns that have no value.

    Raises PipelineError where there is no header with one name for each column, or no row.
    """
    header = [name.strip() for name in names]
    kept = _with_values(rows)
    _check_header(path, header, kept)
    unnamed = [place for place, name in enumerate(header) if not name and _is_empty(kept, place)]
    places = [place for place in range(len(header)) if place not in unnamed]
    if not kept.num_rows:
        raise PipelineError(f"{path} has a header, but no rows")
    cells = _to_frame(kept.select(places))
    cells.columns = pd.Index([header[place] for place in places])
    return TableFile(cells, (*notes, *_notes(path, len(unnamed), rows.num_rows - kept.num_rows)))


def _with_values(rows: pa.Table) -> pa.Table:
    """Return the rows that have a value."""
    if rows.num_columns == 1:
        return rows
    empty: pa.ChunkedArray | None = None
    for column in rows.columns:
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        empty = blank if empty is None else pc.and_(empty, blank)
        if not pc.any(empty).as_py():
            return rows
    return rows.filter(pc.invert(empty))


def _is_empty(rows: pa.Table, place: int) -> bool:
    return all(not text.strip() for text in pc.unique(rows.column(place)).to_pylist())


def _to_frame(table: pa.Table) -> pd.DataFrame:
    text = pd.StringDtype("pyarrow", na_value=np.nan)
    frame: pd.DataFrame = table.to_pandas(types_mapper=lambda _: text)
    return frame


def _notes(path: Path, columns: int, rows: int) -> Iterator[str]:
    if columns:
        what = "a column has" if columns == 1 else f"{columns} columns have"
        yield f"{path}: {what} neither a name nor a value: left out"
    if rows:
        what = "1 row has" if rows == 1 else f"{rows} rows have"
        yield f"{path}: {what} no value in any column: passed over"


def _check_header(path: Path, header: list[str], rows: pa.Table) -> None:
    numbers = [name for name in header if _is_number(name)]
    if numbers and not _counts(header) and _stands_in_rows(header, rows):
        raise PipelineError(
            f"{path} has no header: its first row looks like data ({listed(header[:SHOWN])}); "
            "put a line with a name for each column above it"
        )
    repeated = sorted({name for name in header if header.count(name) > 1 and name})
    if repeated:
        raise PipelineError(f"{path}: the column {listed(repeated)} is in the header twice")


def _is_number(text: str) -> bool:
    return read_number(text) is not None or DECIMAL_COMMA.fullmatch(text) is not None


def _counts(header: list[str]) -> bool:
    """True if a header's numbers are those of its columns, as pandas makes them."""
    numbers = [name for name in header if _is_number(name)]
    return any(numbers == [str(start + i) for i in range(len(numbers))] for start in (0, 1))


def _stands_in_rows(header: list[str], rows: pa.Table) -> bool:
    """True if all texts of a header are values of their own columns as well."""
    return all(
        name in {text.strip() for text in pc.unique(column).to_pylist()}
        for name, column in zip(header, rows.columns, strict=True)
        if name and not _is_number(name)
    )


def from_lists(path: Path, records: Sequence[Sequence[str]]) -> tuple[pa.Table, list[str]]:
    """Return records as a table, and a note on separators too many at the end of all rows.

    Raises PipelineError for rows with more or fewer fields than the header. A row without values
    may have any number of them.
    """
    lengths = [_length(record) for record in records]
    width = len(records[0]) if records else 0
    rows = [len(record) for record, length in zip(records[1:], lengths[1:], strict=True) if length]
    notes = []
    if rows and min(rows) > width >= max(lengths):
        notes.append(f"{path}: the rows end in a separator that the header lacks: passed over")
    elif rows and max(rows) < width:  # then the header has the separators too many
        width = max(lengths[0], *rows)
        notes.append(f"{path}: the header ends in a separator that the rows lack: passed over")
    if not notes or width < len(records[0]):
        refuse(
            f"{path}, row {number}: has {len(record)} fields, the header has {width}"
            for number, record in enumerate(records)
            if number and lengths[number] and len(record) != width
        )
    padded = ((*record[:width], *[""] * (width - len(record))) for record in records)
    columns = [pa.array(column, pa.string()) for column in zip(*padded, strict=True)]
    return pa.table(columns, [str(place) for place in range(width)]), notes


def _length(record: Sequence[str]) -> int:
    """Return the number of fields up to the last one with a value."""
    return max((place + 1 for place, text in enumerate(record) if text.strip()), default=0)
