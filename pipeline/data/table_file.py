"""Read the user's table, whatever kind of file it is, and find out how it is written."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pipeline.data.csv_file import Opener, lines_of, opener_of, read_csv, read_names, reading
from pipeline.data.csv_format import SAMPLE_LINES, find_encoding, find_layout
from pipeline.data.records import TableFile
from pipeline.data.typed_file import find_in_excel, read_excel, read_parquet
from pipeline.errors import PipelineError
from serving.model.reading import PLAIN, Read
from serving.tables.kinds import TableError, kind_of, open_csv, reading_compressed


def read_file(path: Path, read: Read = PLAIN) -> TableFile:
    """Read all cells of a file as text.

    Raises PipelineError for one that is no table as `read` describes it, with what it is instead
    where that can be found out.
    """
    with _reading(path):
        try:
            table = _read(path, read)
        except PipelineError as error:
            _refuse_other_format(path, read, error)
            raise
        if len(table.cells.columns) == 1 or "" in table.cells.columns:
            _refuse_other_format(path, read)
    return table


def read_header(path: Path, read: Read) -> list[str]:
    """Return the names of the columns of a file that `read_file` takes, without its rows.

    A CSV may have empty names at the end of the header, which `read_file` passes over.
    """
    if kind_of(path) in ("excel", "parquet"):
        return list(read_file(path, read).cells.columns)
    return read_names(_csv_opener(path), read)


def find_read(path: Path, na_values: tuple[float | str, ...] = ()) -> Read:
    """Return how a file is written; raises PipelineError for one that is no table."""
    with _reading(path):
        kind = kind_of(path)
        if kind == "parquet":
            return Read(na_values=na_values)
        if kind == "excel":
            return find_in_excel(path, Read(na_values=na_values))
        opener = _csv_opener(path)
        with opener() as file:
            read = Read(encoding=find_encoding(file), na_values=na_values)
        try:
            return find_layout(list(lines_of(opener, read, SAMPLE_LINES)), read)
        except UnicodeError as error:
            raise TableError("is no text in any encoding: is it a table?") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise PipelineError where a file cannot be read, or is no table."""
    with reading(path):
        try:
            yield
        except TableError as error:
            raise PipelineError(f"{path} {error}") from error


def _read(path: Path, read: Read) -> TableFile:
    kind = kind_of(path)
    if kind == "parquet":
        return read_parquet(path)
    return read_excel(path, read) if kind == "excel" else read_csv(path, _csv_opener(path), read)


def _csv_opener(path: Path) -> Opener:
    """Return what opens a file's CSV; one that is compressed is read once."""
    if kind_of(path) == "csv":
        return opener_of(path)
    with reading_compressed(), path.open("rb") as file, open_csv(path, file) as content:
        text = content.read()
    return lambda: io.BytesIO(text)


def _refuse_other_format(path: Path, read: Read, because: PipelineError | None = None) -> None:
    """Raise PipelineError for a file that is a table, but not written as `read` says."""
    try:
        found = find_read(path, read.na_values)
        if found == read:
            return
        _read(path, found)
    except PipelineError:
        return  # nor is it one as it was found
    raise PipelineError(
        f"{path} is {found}, where data.read in params.yaml says {read}: "
        f"write `read: {msgspec.json.encode(found.to_builtins()).decode()}` there, or run "
        "`python -m pipeline init`, which finds it out"
    ) from because
