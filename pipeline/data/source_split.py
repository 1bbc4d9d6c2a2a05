"""Read the user's table as training and test rows."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.data.problems import refuse
from pipeline.data.row_codes import Codes, row_codes, row_digests
from pipeline.data.source import check_source, plain_cells, read_rows
from pipeline.data.split import SplitRule, hashed_columns, is_test
from pipeline.data.table import Table, number_of
from pipeline.errors import PipelineError
from pipeline.params import Data, Params

FEWEST_TEST_ROWS = 5  # of the rarer class


class Split(NamedTuple):
    """The training and the test rows, each in their table's order, and what is to be told."""

    training: Table
    test: Table
    notes: tuple[str, ...]


def split_source(path: Path, params: Params) -> Split:
    """Read the user's table, check it and split it.

    Raises PipelineError as `read_source` does, and for a row that data.test_file has as well.
    """
    data = params.data
    file = read_rows(path, data.read, data.target)
    table = check_source(path, file, data)
    cells = plain_cells(file.cells, data.read)
    if data.has_test_file:
        return _with_test_file(path, cells, table, data)
    of_test = is_test(cells, SplitRule.of(params, cells.columns))
    training, test = (table.take(np.flatnonzero(rows)) for rows in (~of_test, of_test))
    return Split(training, test, table.notes)


def _with_test_file(path: Path, cells: pd.DataFrame, training: Table, data: Data) -> Split:
    test_path = Path(data.test_file)
    test_file = read_rows(test_path, data.read, data.target)
    test = check_source(test_path, test_file, data)
    test_cells = plain_cells(test_file.cells, data.read)
    if test.contract != training.contract:
        raise PipelineError(
            f"{test_path}, column {data.target}: its classes are not those of {path}"
        )
    kept_apart = {"a row": {*hashed_columns(data, cells.columns), data.target}}
    if data.group is not None:
        kept_apart[f"{data.group} (data.group)"] = {data.group}
    for what, names in kept_apart.items():
        columns = sorted(names & {*test_cells.columns})
        shared = _shared(row_codes(cells, columns), row_codes(test_cells, columns))
        refuse(
            f"{test_path}, row {number_of(test_cells, row)}: has {what} that row "
            f"{number_of(cells, place)} of {path} has as well, "
            "and a model is not to be tested on what it was trained on: leave one of them out"
            for place, row in shared
        )
    return Split(training, test, (*training.notes, *test.notes))


def _shared(a: Codes, b: Codes) -> list[tuple[int, int]]:
    """Return the first place in a, and the place in b, of each row of b that a has."""
    digests = pd.Index(row_digests(a))
    firsts = np.flatnonzero(~digests.duplicated())
    places = digests[firsts].get_indexer(pd.Index(row_digests(b)))
    return [(int(firsts[place]), row) for row, place in enumerate(places) if place >= 0]


def check_counts(split: Split, params: Params) -> None:
    """Raise PipelineError where a class has too few rows to train and test a model on."""
    needed = (params.grid_search.fewest_rows, FEWEST_TEST_ROWS)
    spare = needed[0] - params.grid_search.folds
    for label, value in enumerate(split.training.contract.classes):
        rows = tuple(int((table.y == label).sum()) for table in split[:2])
        short = [have < need for have, need in zip(rows, needed, strict=True)]
        if any(short):
            raise PipelineError(
                f"class {value} has {rows[0]} rows for training and {rows[1]} for the test: "
                f"{needed[0]} (grid_search.folds + {spare}) and {needed[1]} are needed; "
                f"give more rows{_remedy(params, *short)}{_without(split.training)}"
            )


def _without(table: Table) -> str:
    """Return what can be done with one of several classes."""
    binary = table.contract.is_binary
    return "" if binary else ", or leave its rows out, or merge it with another class"


def _remedy(params: Params, few_training: bool, few_test: bool) -> str:
    """Return the settings that give more rows to the side that has too few."""
    data = params.data
    more = ["lower grid_search.folds"] if few_training and params.grid_search.folds > 2 else []
    if few_training and few_test:
        return "".join(f", or {remedy}" for remedy in more)
    if data.time is not None:
        more.append(f"set data.test_from {'later' if few_training else 'earlier'}")
    elif not data.has_test_file:
        size = "smaller" if few_training else "larger"
        more += [f"set a {size} preprocess.test_size", "try another seed"]
    return "".join(f", or {remedy}" for remedy in more)
