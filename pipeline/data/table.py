"""Read a table, check it against the data contract, split it.

Rows are counted from 1 after the header, as a user counts them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.data.contract import class_value, data_contract, read_classes
from pipeline.data.csv_file import read_cells
from pipeline.data.problems import SHOWN, listed, quoted, refuse
from pipeline.errors import PipelineError
from pipeline.params import Data, is_index_name
from serving.model.cells import read_column
from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.validation import no_category, violations


@dataclass(frozen=True)
class Table:
    """A checked table: its cells as they were written, and what they mean.

    `cells` has the features and the target as text `[rows, features + 1]`, `X` the features as
    numbers `[rows, features]` with NaN where absent, `y` is 1 for the positive class `[rows]`.
    """

    cells: pd.DataFrame
    X: FloatMatrix
    y: npt.NDArray[np.int64]
    contract: Contract
    notes: tuple[str, ...] = ()

    def take(self, rows: npt.NDArray[np.int64]) -> "Table":
        return Table(self.cells.iloc[rows], self.X[rows], self.y[rows], self.contract)


def read_source(path: Path, data: Data) -> Table:
    """Read the user's table and check everything that `params.yaml` says of it.

    Raises PipelineError with file, row and column of the first ten things that are wrong.
    """
    cells, notes = _select_columns(path, read_cells(path), data)
    classes = read_classes(path, cells[data.target], data)
    table = _checked(path, cells, data_contract(data, classes))
    notes = (*notes, *table.notes, *_duplicates(path, cells))
    return Table(table.cells, table.X, table.y, table.contract, notes)


def read_split(path: Path, contract: Contract) -> Table:
    """Read a table that `preprocess` wrote."""
    cells = read_cells(path)
    expected = [*contract.names, contract.target]
    if list(cells.columns) != expected:
        raise PipelineError(f"{path} does not have the contract's columns: run `dvc repro`")
    return _checked(path, cells, contract)


def _select_columns(
    path: Path, cells: pd.DataFrame, data: Data
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Keep the features in the contract's order and the target; never an unnamed index column."""
    columns = list(cells.columns)
    wanted = [*data.features, data.target]
    index = [name for name in columns if is_index_name(name)]
    missing = [name for name in wanted if name not in columns]
    extra = [name for name in columns if name not in {*wanted, *data.ignore, *index}]
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
        if feature.unseen == "missing" and unread:
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
        f"{path}, column {feature.name}: {cells} none of the categories, and taken as missing: "
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
    return f"{quoted(text)} is not {'true or false' if feature.type == 'boolean' else 'a number'}"
