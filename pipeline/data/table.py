"""Read a table, check it against the data contract, split it.

Rows are counted from 1 after the header, as a user counts them.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.data.contract import class_value, data_contract, read_classes
from pipeline.data.csv_file import read_cells
from pipeline.data.problems import SHOWN, listed, quoted, refuse
from pipeline.data.row_codes import cell_codes
from pipeline.data.times import Times, read_time, read_times
from pipeline.errors import PipelineError
from pipeline.params import Data, is_index_name
from serving.model.cells import ABSENT, read_column
from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.validation import no_category, no_date, violations


@dataclass(frozen=True)
class Table:
    """A checked table: its cells as they were written, and what they mean.

    `cells` has the features and the target as text, then group and time where they are no features
    `[rows, columns]`. `X` has the features as numbers `[rows, features]` with NaN where absent, `y`
    is 1 for the positive class `[rows]`. `groups` has a number for each group, in a whole file from
    0 up `[rows]`; `times` are seconds since 1970, or the numbers of the table `[rows]`. Both are
    None where the settings name no such column.
    """

    cells: pd.DataFrame
    X: FloatMatrix
    y: npt.NDArray[np.int64]
    contract: Contract
    notes: tuple[str, ...] = ()
    groups: npt.NDArray[np.int64] | None = None
    times: Times | None = None

    def take(self, rows: npt.NDArray[np.int64]) -> "Table":
        return Table(
            self.cells.iloc[rows],
            self.X[rows],
            self.y[rows],
            self.contract,
            groups=None if self.groups is None else self.groups[rows],
            times=None if self.times is None else self.times[rows],
        )


def read_source(path: Path, data: Data) -> Table:
    """Read the user's table and check everything that `params.yaml` says of it.

    Raises PipelineError with file, row and column of the first ten things that are wrong.
    """
    return check_source(path, read_cells(path), data)


def check_source(path: Path, cells: pd.DataFrame, data: Data) -> Table:
    """Check the cells of the user's table, as `read_source` does."""
    cells, notes = _select_columns(path, cells, data)
    classes = read_classes(path, cells[data.target], data)
    table = _checked(path, cells, data_contract(data, classes))
    notes = (*notes, *table.notes, *_duplicates(path, cells))
    return _with_groups_and_times(path, replace(table, notes=notes), data)


def read_split(path: Path, contract: Contract, data: Data | None = None) -> Table:
    """Read a table that `preprocess` wrote; with `data`, its groups and times as well."""
    cells = read_cells(path)
    expected = [*contract.names, contract.target]
    beside = [] if data is None else _beside(data)
    if list(cells.columns)[: len(expected) + len(beside)] != [*expected, *beside]:
        raise PipelineError(f"{path} does not have the contract's columns: run `dvc repro`")
    table = _checked(path, cells[[*expected, *beside]], contract)
    return table if data is None else _with_groups_and_times(path, table, data)


def _beside(data: Data) -> list[str]:
    """Return the columns of group and time that are no features."""
    names = dict.fromkeys(name for name in (data.group, data.time) if name is not None)
    return [name for name in names if name not in data.features]


def _with_groups_and_times(path: Path, table: Table, data: Data) -> Table:
    groups = None if data.group is None else _groups(path, table.cells[data.group])
    times = None
    if data.time is not None and data.test_from is not None:
        times = _times(path, table.cells[data.time], data.test_from)
    return replace(table, groups=groups, times=times)


def _groups(path: Path, column: "pd.Series[str]") -> npt.NDArray[np.int64]:
    refuse(
        f"{path}, row {row + 1}, column {column.name}: is missing, and data.group is to keep the "
        "rows of a group together: fill it in, or leave the row out"
        for row in np.flatnonzero(column.str.strip().isin(ABSENT))
    )
    return pd.factorize(cell_codes(column))[0].astype(np.int64)


def _times(path: Path, column: "pd.Series[str]", test_from: str | float) -> Times:
    as_numbers = not isinstance(test_from, str)
    kind = "a number" if as_numbers else "an ISO date such as 2024-03-01"
    if np.isnan(read_time(test_from)):
        raise PipelineError(f"data.test_from in params.yaml: {test_from!r} is not {kind}")
    times = read_times(column, as_numbers=as_numbers)
    refuse(
        f"{path}, row {row + 1}, column {column.name}: {quoted(column.iloc[row])} is not {kind}, "
        "which data.time needs"
        for row in np.flatnonzero(np.isnan(times))
    )
    return times


def _select_columns(
    path: Path, cells: pd.DataFrame, data: Data
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Keep the features in the contract's order and the target; never an unnamed index column."""
    columns = list(cells.columns)
    wanted = [*data.features, data.target, *_beside(data)]
    known = {*wanted, *data.ignore, *data.row_numbers}
    index = [name for name in columns if is_index_name(name)]
    missing = [name for name in wanted if name not in columns]
    extra = [name for name in columns if name not in {*known, *index}]
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
    notes = tuple(
        f"{path}: the unnamed column {columns.index(name) + 1} is an index, no feature: left out"
        for name in dict.fromkeys(index)
    )
    return cells[wanted], notes


def _checked(path: Path, cells: pd.DataFrame, contract: Contract) -> Table:
    columns: list[FloatMatrix] = []
    notes: list[str] = []
    wrong: dict[tuple[int, str], str] = {}
    for feature in contract.features:
        places, words = pd.factorize(cells[feature.name])  # each word is read once
        numbers, is_unread = read_column(feature, list(words))
        columns.append(numbers[places])
        unread = np.flatnonzero(is_unread[places]).tolist()
        if feature.unseen != "refuse" and unread:
            notes.append(_unseen(path, feature, cells[feature.name].iloc[unread].str.strip()))
            continue
        for row in unread:
            wrong[row, feature.name] = _unreadable(feature, cells[feature.name].iloc[row])
    X = np.column_stack(columns)
    for row, name, detail in violations(contract, X):
        wrong.setdefault((row, name), detail)
    in_order = sorted(
        wrong.items(), key=lambda item: (item[0][0], contract.names.index(item[0][1]))
    )
    refuse(f"{path}, row {row + 1}, column {name}: {text}" for (row, name), text in in_order)
    y = np.array([class_value(text) == contract.classes[1] for text in cells[contract.target]])
    return Table(cells, X, y.astype(np.int64), contract, tuple(notes))


def _unseen(path: Path, feature: Feature, texts: "pd.Series[str]") -> str:
    which = listed(quoted(text) for text in dict.fromkeys(texts))
    cells = "1 cell is" if len(texts) == 1 else f"{len(texts)} cells are"
    return (
        f"{path}, column {feature.name}: {cells} none of the categories, and taken as "
        f"{feature.unseen}: "
        f"{which}"
    )


def _duplicates(path: Path, cells: pd.DataFrame) -> tuple[str, ...]:
    rows = np.flatnonzero(cells.duplicated()) + 1
    if not rows.size:
        return ()
    which = listed([int(row) for row in rows[:SHOWN]]) + (" …" if rows.size > SHOWN else "")
    if rows.size == 1:
        return (f"{path}, row {which}: repeats an earlier row, and is kept",)
    return (f"{path}, rows {which}: {rows.size} rows repeat an earlier one, and are kept",)


def _unreadable(feature: Feature, text: str) -> str:
    if feature.type == "category":
        return no_category(feature, text.strip())
    if feature.type == "date":
        return no_date(feature, text.strip())
    return f"{quoted(text)} is not {'true or false' if feature.type == 'boolean' else 'a number'}"
