"""Read a table, check it against the data contract, split it.

Rows are counted from 1 after the header, as a user counts them.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import PipelineError
from pipeline.params import Data, data_contract, is_index_name
from serving.contract import Contract, Feature, FloatMatrix
from serving.rules import no_category, violations

ABSENT = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
BOOLEANS = {"true": "1", "false": "0"}
SHOWN = 10


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
    classes = _classes(path, cells[data.target], data)
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


def split(table: Table, test_size: float, seed: int) -> tuple[Table, Table]:
    """Split into training and test rows, the same share of each class, in the table's order."""
    sampled = pd.Series(table.y).groupby(table.y).sample(frac=test_size, random_state=seed)
    is_test = np.zeros(len(table.y), dtype=bool)
    is_test[sampled.index] = True
    training, test = table.take(np.flatnonzero(~is_test)), table.take(np.flatnonzero(is_test))
    for part, name in ((training, "training"), (test, "test")):
        for label, value in enumerate(table.contract.classes):
            if not np.any(part.y == label):
                raise PipelineError(
                    f"no row of class {value} is left for the {name} split: "
                    "give more rows, or change preprocess.test_size in params.yaml"
                )
    return training, test


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
            f"{path} cannot be read: {error.strerror}; data.file in params.yaml names it"
        ) from error
    header, cells = cells.iloc[0], cells.iloc[1:].reset_index(drop=True)
    cells.columns = pd.Index(header.str.strip())
    if cells.empty:
        raise PipelineError(f"{path} has a header, but no rows")
    _check_header(path, list(cells.columns))
    return cells


def _check_header(path: Path, columns: list[str]) -> None:
    repeated = sorted({name for name in columns if columns.count(name) > 1 and name})
    if repeated:
        raise PipelineError(f"{path}: the column {_listed(repeated)} stands in the header twice")
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
    _refuse(
        f"{path}, row {number}: has {fields} fields, the header has {width}"
        for number, fields in enumerate(widths, start=1)
        if fields != width
    )


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
            f"{path}: the column {_listed(missing)} is missing; "
            "it is named under data in params.yaml"
        )
    if extra:
        raise PipelineError(
            f"{path}: the column {_listed(extra)} is not known; "
            "name it in params.yaml, under data.features or data.ignore"
        )
    notes = tuple(
        f"{path}: the unnamed column {columns.index(name) + 1} is an index, no feature: left out"
        for name in dict.fromkeys(index)
    )
    return cells[wanted], notes


def target_values(path: Path, target: "pd.Series[str]") -> list[str | int]:
    """Give the target's two values, sorted; raise PipelineError where there are not two."""
    where = f"{path}, column {target.name}"
    absent = np.flatnonzero(target.str.strip().isin(ABSENT))
    _refuse(f"{path}, row {row + 1}, column {target.name}: is missing" for row in absent)
    values = sorted({class_value(text) for text in target}, key=str)
    if len(values) != 2:
        raise PipelineError(
            f"{where}: has {len(values)} class{'es' * (len(values) != 1)} "
            f"({_listed(values)}), a two-class target is needed"
        )
    return values


def _classes(path: Path, target: "pd.Series[str]", data: Data) -> tuple[str | int, str | int]:
    """Give the target's two values, the negative one first."""
    values = target_values(path, target)
    positive = class_value(str(data.positive_class))
    if positive not in values:
        raise PipelineError(
            f"{path}, column {data.target}: data.positive_class is {positive}, "
            f"but the values are {_listed(values)}"
        )
    negative = values[0] if values[1] == positive else values[1]
    return negative, positive


def class_value(text: str) -> str | int:
    """Read a class as a whole number where it is one (1.0 is 1), otherwise as text."""
    text = text.strip()
    if text.lower() in BOOLEANS:
        return text.lower().capitalize()
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else text


def _checked(path: Path, cells: pd.DataFrame, contract: Contract) -> Table:
    columns: list[FloatMatrix] = []
    notes: list[str] = []
    wrong: dict[tuple[int, str], str] = {}
    for feature in contract.features:
        text = cells[feature.name].str.strip()
        read = _codes if feature.type == "category" else _numbers
        numbers, unread = read(text, feature)
        columns.append(numbers)
        if feature.unseen == "missing" and unread:
            notes.append(_unseen(path, feature, text.iloc[unread]))
            continue
        for row in unread:
            wrong[row, feature.name] = _unreadable(feature, cells[feature.name].iloc[row])
    X = np.column_stack(columns)
    for row, name, detail in violations(contract, X):
        wrong.setdefault((row, name), detail)
    in_order = sorted(
        wrong.items(), key=lambda item: (item[0][0], contract.names.index(item[0][1]))
    )
    _refuse(f"{path}, row {row + 1}, column {name}: {text}" for (row, name), text in in_order)
    y = np.array([class_value(text) == contract.classes[1] for text in cells[contract.target]])
    return Table(cells, X, y.astype(np.int64), contract, tuple(notes))


def _numbers(text: "pd.Series[str]", feature: Feature) -> tuple[FloatMatrix, list[int]]:
    """Read a column as numbers, NaN where absent; give the rows that cannot be read as well."""
    absent = text.isin(ABSENT)
    if feature.type == "boolean":
        text = text.str.lower().replace(BOOLEANS)
    numbers = pd.to_numeric(text.mask(absent), errors="coerce").to_numpy(dtype=np.float64)
    unread = np.isnan(numbers) & ~absent.to_numpy()
    return numbers, np.flatnonzero(unread).tolist()


def _codes(text: "pd.Series[str]", feature: Feature) -> tuple[FloatMatrix, list[int]]:
    """Read a column of categories as `_numbers` does one of numbers."""
    # One may be called `None` or `NA`: where it is, that is no word for missing.
    codes = feature.codes
    unread = ~(text.isin(ABSENT) | text.isin(list(codes))).to_numpy()
    return np.array(text.map(codes), dtype=np.float64), np.flatnonzero(unread).tolist()


def _unseen(path: Path, feature: Feature, texts: "pd.Series[str]") -> str:
    which = _listed(_quoted(text) for text in dict.fromkeys(texts))
    cells = "1 cell is" if len(texts) == 1 else f"{len(texts)} cells are"
    return (
        f"{path}, column {feature.name}: {cells} none of the categories, and taken as missing: "
        f"{which}"
    )


def _duplicates(path: Path, cells: pd.DataFrame) -> tuple[str, ...]:
    rows = np.flatnonzero(cells.duplicated()) + 1
    if not rows.size:
        return ()
    which = _listed([int(row) for row in rows[:SHOWN]]) + (" …" if rows.size > SHOWN else "")
    if rows.size == 1:
        return (f"{path}, row {which}: repeats an earlier row, and is kept",)
    return (f"{path}, rows {which}: {rows.size} rows repeat an earlier one, and are kept",)


def _refuse(problems: Iterable[str]) -> None:
    """Raise with the first ten problems, a line each, and how many more there are."""
    every = list(problems)
    if every:
        more = [f"… and {len(every) - SHOWN} more"] if len(every) > SHOWN else []
        raise PipelineError("\n".join([*every[:SHOWN], *more]))


def _listed(values: Iterable[object]) -> str:
    every = [str(value) for value in values]
    more = [f"… ({len(every)} in all)"] if len(every) > SHOWN else []
    return ", ".join([*every[:SHOWN], *more])


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _unreadable(feature: Feature, text: str) -> str:
    if feature.type == "category":
        return no_category(feature, text.strip())
    return f"{_quoted(text)} is not {'true or false' if feature.type == 'boolean' else 'a number'}"
