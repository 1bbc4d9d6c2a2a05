"""Read the user's table, whatever kind of file it is, and find out how it is written."""

from pathlib import Path

import msgspec

from pipeline.data.csv_file import lines_of, opener_of, read_csv, reading
from pipeline.data.csv_format import SAMPLE_LINES, find_encoding, find_layout
from pipeline.data.records import TableFile
from pipeline.errors import PipelineError
from serving.model.reading import PLAIN, Read


def read_file(path: Path, read: Read = PLAIN) -> TableFile:
    """Read all cells of a file as text.

    Raises PipelineError for one that is no table as `read` describes it, with what it is instead
    where that can be found out.
    """
    with reading(path):
        try:
            table = read_csv(path, opener_of(path), read)
        except PipelineError as error:
            _refuse_other_format(path, read, error)
            raise
    if len(table.cells.columns) == 1 or "" in table.cells.columns:
        _refuse_other_format(path, read)
    return table


def read_header(path: Path, read: Read) -> list[str]:
    """Return the names of the columns of a file that `read_file` takes."""
    return list(read_file(path, read).cells.columns)


def find_read(path: Path, na_values: tuple[float | str, ...] = ()) -> Read:
    """Return how a file is written."""
    opener = opener_of(path)
    with reading(path), opener() as file:
        read = Read(encoding=find_encoding(file), na_values=na_values)
        try:
            lines = list(lines_of(opener, read, SAMPLE_LINES))
        except UnicodeError as error:
            raise PipelineError(f"{path} is no text in any encoding: is it a table?") from error
        return find_layout(lines, read)


def _refuse_other_format(path: Path, read: Read, because: PipelineError | None = None) -> None:
    """Raise PipelineError for a file that is a table, but not written as `read` says."""
    try:
        found = find_read(path, read.na_values)
        if found == read:
            return
        read_csv(path, opener_of(path), found)
    except PipelineError:
        return  # nor is it one as it was found
    raise PipelineError(
        f"{path} is {found}, where data.read in params.yaml says {read}: "
        f"write `read: {msgspec.json.encode(found.to_builtins()).decode()}` there, or run "
        "`python -m pipeline init`, which finds it out"
    ) from because
