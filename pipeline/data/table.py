"""Check a table against the data contract.

Rows are counted from 1 after the header, as a user counts them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.data.contract import class_value
from pipeline.data.csv_file import read_cells
from pipeline.data.problems import listed, quoted, refuse
from pipeline.data.row_codes import cell_codes
from pipeline.data.times import Times, read_time, read_times
from pipeline.errors import PipelineError
from pipeline.params import Data
from serving.model.cells import ABSENT, read_column
from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.reading import Read
from serving.model.validation import no_category, no_date, violations


@dataclass(frozen=True)
class Table:
    """A checked table: its cells as plain CSV has them, and what they mean.

    `cells` has the features and the target as text, then group and time where they are no features
    `[rows, columns]`; its index has each row's number in its file, from 0. `X` has the features as
    numbers `[rows, features]` with NaN where absent, `y` as the place of its class `[rows]`, which
    is 1 for the positive one of two.
    `groups` has a number for each group, in a whole file from 0 up `[rows]`; `times` are seconds
    since 1970, or the numbers of the table `[rows]`. Both are None where the settings name no such
    column.
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


def read_split(path: Path, contract: Contract, data: Data | None = None) -> Table:
    """Read a table that `preprocess` wrote; with `data`, its groups and times as well."""
    cells = read_cells(path)
    expected = [*contract.names, contract.target]
    beside = [] if data is None else columns_beside(data)
    if list(cells.columns)[: len(expected) + len(beside)] != [*expected, *beside]:
        raise PipelineError(f"{path} does not have the contract's columns: run `dvc repro`")
    table = to_table(path, cells[[*expected, *beside]], contract, contract.table_format.plain)
    return table if data is None else with_groups_and_times(path, table, data)


def number_of(rows: "pd.DataFrame | pd.Series[str]", place: int | np.intp) -> int:
    """Return the number of a row in its file, from 1, of the one at a place here."""
    return int(rows.index[int(place)]) + 1


def columns_beside(data: Data) -> list[str]:
    """Return the columns of group and time that are no features."""
    names = dict.fromkeys(name for name in (data.group, data.time) if name is not None)
    return [name for name in names if name not in data.features]


def with_groups_and_times(path: Path, table: Table, data: Data) -> Table:
    """Return a table with the groups and times that the settings name; raises PipelineError."""
    groups = None if data.group is None else _groups(path, table.cells[data.group])
    times = None
    if data.time is not None and data.test_from is not None:
        times = _times(path, table.cells[data.time], data.test_from)
    return replace(table, groups=groups, times=times)


def _groups(path: Path, column: "pd.Series[str]") -> npt.NDArray[np.int64]:
    refuse(
        f"{path}, row {number_of(column, row)}, column {column.name}: is missing, and data.group "
        "is to keep the rows of a group together: fill it in, or leave the row out"
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
        f"{path}, row {number_of(column, row)}, column {column.name}: {quoted(column.iloc[row])} "
        f"is not {kind}, which data.time needs"
        for row in np.flatnonzero(np.isnan(times))
    )
    return times


def to_table(path: Path, cells: pd.DataFrame, contract: Contract, read: Read) -> Table:
    """Read cells as the features of a contract, written as `read` says.

    Raises PipelineError with row and column of the first ten cells that break the contract.
    """
    columns: list[FloatMatrix] = []
    notes: list[str] = []
    wrong: dict[tuple[int, str], str] = {}
    for feature in contract.features:
        column = cells[feature.name]
        places, distinct = pd.factorize(column)  # each word is read once
        words = list(distinct)
        numbers, is_unread = read_column(feature, words, read)
        columns.append(numbers[places])
        notes += _kept_words(path, feature, words)
        notes += _missing(path, feature, words, np.bincount(places), np.isnan(numbers) & ~is_unread)
        unread = np.flatnonzero(is_unread[places]).tolist()
        if feature.unseen != "refuse" and unread:
            notes.append(_unseen(path, feature, column.iloc[unread].str.strip()))
            continue
        for row in unread:
            wrong[row, feature.name] = _unreadable(feature, column.iloc[row])
    X = np.column_stack(columns)
    for row, name, detail in violations(contract, X):
        wrong.setdefault((row, name), detail)
    in_order = sorted(
        wrong.items(), key=lambda item: (item[0][0], contract.names.index(item[0][1]))
    )
    refuse(
        f"{path}, row {number_of(cells, row)}, column {name}: {text}"
        for (row, name), text in in_order
    )
    return Table(cells, X, _classes(path, cells, contract), contract, tuple(notes))


def _classes(path: Path, cells: pd.DataFrame, contract: Contract) -> npt.NDArray[np.int64]:
    """Return the place of each row's class among the contract's `[rows]`."""
    places, texts = pd.factorize(cells[contract.target])
    known = {value: place for place, value in enumerate(contract.classes)}
    numbers = np.array([known.get(class_value(text), -1) for text in texts], dtype=np.int64)
    y = numbers[places]
    refuse(
        f"{path}, row {number_of(cells, row)}, column {contract.target}: "
        f"{quoted(cells[contract.target].iloc[row])} is none of {listed(contract.classes)}"
        for row in np.flatnonzero(y < 0)
    )
    return y


def _kept_words(path: Path, feature: Feature, words: Sequence[str]) -> list[str]:
    """Return a note on words for missing that are categories here."""
    kept = sorted(ABSENT & {*feature.categories} & {word.strip() for word in words})
    return [
        f"{path}, column {feature.name}: {quoted(word)} is a category, and does not mean missing"
        for word in kept
    ]


def _missing(
    path: Path,
    feature: Feature,
    words: Sequence[str],
    counts: npt.NDArray[np.int64],
    is_missing: npt.NDArray[np.bool_],
) -> list[str]:
    """Return a note on the words of a column that were read as missing."""
    marks: Counter[str] = Counter()
    for place in np.flatnonzero(is_missing):
        if (text := words[int(place)].strip()) and text not in feature.missing_values:
            marks[text] += int(counts[place])
    if not marks:
        return []
    told = listed(f"{quoted(text)} ({count})" for text, count in marks.most_common())
    cells = "1 cell is" if marks.total() == 1 else f"{marks.total()} cells are"
    return [f"{path}, column {feature.name}: {cells} read as missing: {told}"]


def _unseen(path: Path, feature: Feature, texts: "pd.Series[str]") -> str:
    which = listed(quoted(text) for text in dict.fromkeys(texts))
    cells = "1 cell is" if len(texts) == 1 else f"{len(texts)} cells are"
    return (
        f"{path}, column {feature.name}: {cells} none of the categories, and taken as "
        f"{feature.unseen}: "
        f"{which}"
    )


def _unreadable(feature: Feature, text: str) -> str:
    if feature.type == "category":
        return no_category(feature, text.strip())
    if feature.type == "date":
        return no_date(feature, text.strip())
    return f"{quoted(text)} is not {'true or false' if feature.type == 'boolean' else 'a number'}"
