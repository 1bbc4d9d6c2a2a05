"""Read the user's table and check it against `params.yaml`."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.data.contract import (
    data_contract,
    read_class_names,
    read_classes,
    rows_with_target,
)
from pipeline.data.problems import SHOWN, listed
from pipeline.data.records import TableFile
from pipeline.data.split import hashed_columns
from pipeline.data.table import Table, columns_beside, to_table, with_groups_and_times
from pipeline.data.table_file import read_file
from pipeline.errors import PipelineError
from pipeline.params import Data, is_index_name
from serving.model.cells import ABSENT, to_plain
from serving.model.reading import PLAIN, Read

# What repeats mean for the split.
REPEATS = {
    "together": "equal rows are on one side",
    "apart": "equal rows may be on both sides",
}


def read_source(path: Path, data: Data) -> Table:
    """Read the user's table and check everything that `params.yaml` says of it.

    Raises PipelineError with file, row and column of the first ten things that are wrong.
    """
    return check_source(path, read_rows(path, data.read, data.target), data)


def read_rows(path: Path, read: Read, target: str) -> TableFile:
    """Read the rows of the user's table that have a target.

    Raises PipelineError as `read_file` does, and for a table most of whose rows have none.
    """
    cells, notes = read_file(path, read)
    if target not in cells.columns:
        return TableFile(cells, notes)
    has_target, note = rows_with_target(path, cells[target], read)
    return TableFile(cells[has_target], (*notes, *note))


def check_source(path: Path, file: TableFile, data: Data) -> Table:
    """Check the rows of the user's table, as `read_source` does."""
    cells, notes = _select_columns(path, file.cells, data)
    target = cells[[data.target]].pipe(plain_cells, data.read)[data.target]
    classes = read_classes(path, target, data)
    contract = data_contract(data, classes, read_class_names(path, data, classes))
    table = to_table(path, cells.assign(**{data.target: target}), contract, data.read)
    notes = (*file.notes, *notes, *table.notes, *_repeats(path, file.cells, data))
    table = replace(table, cells=plain_cells(table.cells, data.read), notes=notes)
    return with_groups_and_times(path, table, data)


def plain_cells(cells: pd.DataFrame, read: Read) -> pd.DataFrame:
    """Return cells as plain CSV has them, with the words for missing that every table has."""
    if read == PLAIN or (read.decimal == "." and not read.na_values):
        return cells
    return cells.apply(_plain_column, read=read)


def _plain_column(column: "pd.Series[str]", read: Read) -> "pd.Series[str]":
    places, words = pd.factorize(column)
    plain = pd.Series([to_plain(word, read) for word in words], dtype="str")
    return plain.take(places).set_axis(column.index)


def _select_columns(
    path: Path, cells: pd.DataFrame, data: Data
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Keep the features in the contract's order and the target; never an unnamed index column."""
    columns = list(cells.columns)
    wanted = [*data.features, data.target, *columns_beside(data)]
    known = {*wanted, *data.ignore, *data.row_numbers}
    index = [place for place, name in enumerate(columns) if is_index_name(name)]
    missing = [name for name in wanted if name not in columns]
    extra = [name for name in columns if name not in known and not is_index_name(name)]
    if missing:
        raise PipelineError(
            f"{path}: the column {listed(missing)} is missing; "
            "it is named under data in params.yaml"
        )
    if extra:
        raise PipelineError(
            f"{path}: the column {listed(extra)} is not known; "
            "name it in params.yaml, under data.features or data.ignore"
        )
    for place in index:
        check_index(path, cells.iloc[:, place], place)
    notes = tuple(
        f"{path}: the unnamed column {place + 1} is an index, no feature: left out"
        for place in index
    )
    return cells[wanted], notes


def check_index(path: Path, column: "pd.Series[str]", place: int) -> None:
    """Raise PipelineError for a column without a name that has values and numbers no rows."""
    text = column.str.strip()
    if text.isin(ABSENT).all() or (text.is_unique and text.str.fullmatch(r"\d+").all()):
        return
    raise PipelineError(
        f"{path}, column {place + 1}: has no name, and is no index, since it does not number the "
        f"rows ({listed(text[:3])}, …): name it in the header"
    )


def _repeats(path: Path, cells: pd.DataFrame, data: Data) -> tuple[str, ...]:
    """Return a note on rows that are equal as the table came, without what numbers them."""
    columns = [*hashed_columns(data, cells.columns), data.target]
    rows = cells.index[cells[columns].duplicated()] + 1
    if not rows.size:
        return ()
    which = listed([int(row) for row in rows[:SHOWN]]) + (" …" if rows.size > SHOWN else "")
    split = f"{REPEATS[data.repeats]} of the split (data.repeats: {data.repeats})"
    if rows.size == 1:
        return (f"{path}, row {which}: repeats an earlier row, and is kept; {split}",)
    return (f"{path}, rows {which}: {rows.size} rows repeat an earlier one, and are kept; {split}",)
