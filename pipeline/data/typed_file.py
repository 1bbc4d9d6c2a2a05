"""Read Excel's and Parquet's tables, whose cells have types, as text."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from pipeline.data.csv_format import SAMPLE_LINES, find_decimal, lines_above
from pipeline.data.records import TableFile, from_lists, to_table_file, with_header
from serving.model.reading import Read
from serving.tables.arrow_text import to_text
from serving.tables.excel import read_sheet
from serving.tables.kinds import TableError

INDEX = "__index_level_0__"  # of a frame of pandas


def read_excel(path: Path, read: Read) -> TableFile:
    """Read the first sheet that has cells; raises TableError and PipelineError."""
    sheet = read_sheet(path)
    told = f"{path}: read the sheet {sheet.name}, not {', '.join(sheet.others)}"
    records, notes = from_lists(path, _records(sheet.rows[read.skip :]))
    return to_table_file(path, records, [*([told] if sheet.others else []), *notes])


def read_parquet(path: Path) -> TableFile:
    """Read all columns; raises TableError and PipelineError."""
    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise TableError("is no Parquet file, or a damaged one") from error
    names = ["" if name == INDEX else name for name in table.column_names]
    columns = [to_text(*pair) for pair in zip(table.column_names, table.columns, strict=True)]
    rows = pa.table(columns, [str(place) for place in range(len(columns))])
    return with_header(path, names, rows)


def find_in_excel(path: Path, read: Read) -> Read:
    """Return `read` with the header's row and the decimals of what is text in a workbook."""
    rows = read_sheet(path).rows[:SAMPLE_LINES]
    places = [place for place, row in enumerate(rows) if any(text.strip() for text in row)]
    skip = lines_above([rows[place] for place in places], places)
    return Read(decimal=find_decimal(rows[skip + 1 :]), skip=skip, na_values=read.na_values)


def _records(rows: Sequence[list[str]]) -> list[list[str]]:
    """Return rows from the header on."""
    first = next((place for place, row in enumerate(rows) if any(map(str.strip, row))), len(rows))
    return list(rows[first:])
