"""Read a CSV file's cells as text, with a header that can be used."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from pipeline.data.records import TableFile, from_lists, to_table_file
from pipeline.errors import PipelineError
from serving.model.reading import PLAIN, Read

Opener = Callable[[], BinaryIO]

BOM = b"\xef\xbb\xbf"
LAST_BYTES = 2**12


def read_cells(path: Path) -> pd.DataFrame:
    """Read all cells of a table that the pipeline wrote, as text.

    Raises PipelineError for a file that is no plain CSV table with one name for each column.
    """
    with reading(path):
        return read_csv(path, opener_of(path), PLAIN).cells


def opener_of(path: Path) -> Opener:
    return lambda: path.open("rb")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise PipelineError where a file cannot be read."""
    try:
        yield
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be read: {error.strerror or error}; "
            "data.file or data.test_file in params.yaml names it"
        ) from error


def read_csv(path: Path, opener: Opener, read: Read) -> TableFile:
    """Read a table from its bytes; raises PipelineError where it is none that `read` describes.

    `path` is for what is told. Arrow reads most tables; what it does not take, or might take for
    something else, is read record by record.
    """
    records = _parse(opener, read)
    if records is not None:
        return to_table_file(path, records)
    return to_table_file(path, *from_lists(path, _read_lists(path, opener, read)))


def lines_of(opener: Opener, read: Read, most: int | None = None) -> Iterator[str]:
    """Return the lines of a file below those to skip, the first ones or all."""
    encoding = "utf-8-sig" if read.encoding == "utf-8" else read.encoding
    with io.TextIOWrapper(opener(), encoding=encoding, newline="") as lines:
        yield from islice(lines, read.skip, None if most is None else read.skip + most)


def _parse(opener: Opener, read: Read) -> pa.Table | None:
    """Parse records of equal length; None where Arrow cannot, or reads quotes otherwise."""
    width = len(read_names(opener, read))
    if width < 2:
        return None  # an empty line and an empty cell look alike
    names = [str(place) for place in range(width)]
    with opener() as file:
        file.seek(len(BOM) if file.read(len(BOM)) == BOM else 0)
        try:
            records = arrow_csv.read_csv(
                file,
                arrow_csv.ReadOptions(
                    column_names=names, skip_rows=read.skip, encoding=read.encoding
                ),
                arrow_csv.ParseOptions(delimiter=read.separator, newlines_in_values=True),
                arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string())),
            )
        except (pa.ArrowInvalid, UnicodeError):
            return None
    doubtful = _ends_in_quotes(opener, records) or _has_quotes_after_spaces(records)
    return None if doubtful else records


def read_names(opener: Opener, read: Read) -> list[str]:
    """Return the names in the header, none where it cannot be read."""
    try:
        return [name.strip() for name in next(_records(lines_of(opener, read), read), [])]
    except (UnicodeError, csv.Error):
        return []


def _records(lines: Iterator[str], read: Read) -> Iterator[list[str]]:
    """Return the records; lines of nothing but spaces are passed over."""
    records = csv.reader(lines, delimiter=read.separator, skipinitialspace=True)
    return (record for record in records if len(record) > 1 or "".join(record).strip())


def _ends_in_quotes(opener: Opener, records: pa.Table) -> bool:
    """True if a file may end behind a quote that is never closed, of which Arrow says nothing."""
    last = records.slice(max(0, records.num_rows - 1)).to_pylist()
    if any("\n" in text or "\r" in text for record in last for text in record.values()):
        return True
    with opener() as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - LAST_BYTES))
        end = file.read().rstrip(b"\0")
    return b'"' in end and not end.endswith((b"\n", b"\r"))


def _has_quotes_after_spaces(records: pa.Table) -> bool:
    """True if a quote may open behind a space, which Arrow takes for a part of the text."""
    return any(
        pc.any(pc.match_substring_regex(column.filter(spaced), r'^\s+"')).as_py()
        for column in records.columns
        if pc.any(spaced := pc.starts_with(column, " ")).as_py()
    )


def _read_lists(path: Path, opener: Opener, read: Read) -> list[list[str]]:
    try:
        lines = list(lines_of(opener, read))
        records = list(_records(iter(lines), read))
    except UnicodeError as error:
        byte = ""
        if isinstance(error, UnicodeDecodeError):
            byte = f" (byte {error.object[error.start]:#04x})"
        raise PipelineError(
            f"{path} is not {read.encoding.upper()}{byte}: name its encoding under data.read in "
            "params.yaml, or let `python -m pipeline init` find it"
        ) from error
    except csv.Error as error:
        raise PipelineError(f"{path} is not a CSV table: {error}; is a quote left open?") from error
    _check_closed(path, lines, read)
    return records


def _check_closed(path: Path, lines: list[str], read: Read) -> None:
    """Raise for a quote that is never closed: all that follows would be one cell."""
    row, start, end = -1, 0, 0
    reader = csv.reader(lines, delimiter=read.separator, skipinitialspace=True)
    for record in reader:
        start, end = end, reader.line_num
        row += bool(record)
    last = csv.reader(lines[start:], delimiter=read.separator, skipinitialspace=True, strict=True)
    try:
        list(last)
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise PipelineError(
                f"{path}, row {row}: opens a quote that is never closed: close it or take it out"
            ) from error
