"""Read a CSV file's cells as text, with a header that can be used."""

import csv
from pathlib import Path

import pandas as pd

from pipeline.data.problems import listed, refuse
from pipeline.errors import PipelineError


def read_cells(path: Path) -> pd.DataFrame:
    """Read all cells as text, so that what a user wrote can be checked and told.

    Raises PipelineError for a file that is no CSV table with one name for each column.
    """
    try:
        _refuse_ragged(path)
        cells = pd.read_csv(
            path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except pd.errors.EmptyDataError as error:
        raise PipelineError(f"{path} is empty: it needs a header and rows") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        encoding = "utf-16" if byte in (0xFE, 0xFF) and error.start == 0 else "latin1"
        raise PipelineError(
            f"{path} is not UTF-8 (byte {byte:#04x}): "
            f"save it as UTF-8, for example with `iconv -f {encoding} -t utf-8`"
        ) from error
    except (csv.Error, pd.errors.ParserError) as error:
        raise PipelineError(f"{path} is not a CSV table: {error}") from error
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be read: {error.strerror}; "
            "data.file or data.test_file in params.yaml names it"
        ) from error
    header, cells = cells.iloc[0], cells.iloc[1:].reset_index(drop=True)
    cells.columns = pd.Index(header.str.strip())
    if cells.empty:
        raise PipelineError(f"{path} has a header, but no rows")
    _check_header(path, list(cells.columns))
    return cells


def read_header(path: Path) -> list[str]:
    """Read the names of the columns of a file that `read_cells` takes."""
    first = pd.read_csv(
        path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig", nrows=1
    )
    return [str(name).strip() for name in first.iloc[0]]


def _check_header(path: Path, columns: list[str]) -> None:
    repeated = sorted({name for name in columns if columns.count(name) > 1 and name})
    if repeated:
        raise PipelineError(f"{path}: the column {listed(repeated)} is in the header twice")
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and separator in columns[0]:
            raise PipelineError(f"{path} is separated by {name}: commas are needed")


def _refuse_ragged(path: Path) -> None:
    """Raise for rows with more or fewer fields than the header: pandas fills up the short ones."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        # Like pandas, pass over lines of nothing but spaces.
        records = (row for row in csv.reader(file) if len(row) > 1 or "".join(row).strip())
        width = len(next(records, []))
        widths = [len(record) for record in records]
    refuse(
        f"{path}, row {number}: has {fields} fields, the header has {width}"
        for number, fields in enumerate(widths, start=1)
        if fields != width
    )
