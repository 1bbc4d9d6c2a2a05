"""The rows to compare two versions on: the challenger's test rows that neither was trained on."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.data.csv_file import read_cells
from pipeline.data.source import plain_cells, read_rows
from pipeline.data.source_split import FEWEST_TEST_ROWS
from pipeline.data.split import SplitRule, is_test
from pipeline.data.table import Table
from pipeline.errors import PipelineError
from pipeline.evaluation.comparison import Positions, common_rows
from pipeline.lineage.dvc import find_file, find_test_rows
from pipeline.registry import versions
from pipeline.registry.references import find_version
from pipeline.registry.split_tag import SPLIT_TAG, read_split_tag
from pipeline.tracking.experiment import Tracking
from serving.model.reading import Read

Sides = npt.NDArray[np.bool_]


class Origin(NamedTuple):
    """The user's file that a version's test rows are from, its md5, and the tag of their rule.

    `columns` are those that the rule hashes, where they are known; `whole` is true of a file of
    test rows only.
    """

    file: Path
    digest: str
    split: str
    columns: tuple[str, ...] = ()
    whole: bool = False


class TestedOn(NamedTuple):
    """A version's test rows, DVC's md5 of them, and the file that they are from."""

    rows: Table
    digest: str
    origin: Origin


def compared_rows(tracking: Tracking, name: str, champion: str, ours: TestedOn) -> Positions | str:
    """Return the positions `[rows]` among our test rows of those to compare on, or why not.

    Raises ModelError where the champion is not there.
    """
    split = versions.tags_of(tracking, name, champion).get(SPLIT_TAG, "")
    try:
        rows = _by_rule(ours, split)
        if rows is None:
            rows = _in_both_tests(tracking, name, champion, ours)
    except PipelineError as error:
        return f"which rows it was not trained on is not known: {error}"
    return rows if (reason := too_few(ours.rows, rows)) is None else reason


def too_few(test: Table, rows: Positions) -> str | None:
    """Return what is wrong with rows that are too few of a class to compare on."""
    counts = np.bincount(test.y[rows], minlength=len(test.contract.classes))
    if counts.min() >= FEWEST_TEST_ROWS:
        return None
    found = " and ".join(
        f"{count} of class {value}"
        for count, value in zip(counts, test.contract.classes, strict=True)
        if len(counts) == 2 or count < FEWEST_TEST_ROWS
    )
    return (
        f"of the {len(test.y)} test rows only {found} are surely new to it, "
        f"and {FEWEST_TEST_ROWS} of each are needed"
    )


def name_rows(rows: Positions | str, of: int) -> str:
    """Name the rows compared on, as a gate's sentence does."""
    if len(rows) == of:
        return "the same rows"
    return f"the {len(rows)} of {of} test rows that neither was trained on"


def rows_digest(rows: Positions | str, of: int) -> str:
    """Return what tells the rows compared on from others, "" for all test rows."""
    if isinstance(rows, str):
        return f"none: {sha256(rows.encode()).hexdigest()}"
    if len(rows) == of:
        return ""
    return f"{len(rows)} of {of}: {sha256(rows.astype('<i8').tobytes()).hexdigest()}"


def sides(cells: pd.DataFrame, ours: SplitRule | None, theirs: SplitRule) -> tuple[Sides, Sides]:
    """Return which rows of a file are our test rows, and which of these are theirs as well.

    `cells` are all of the file's, as text; `ours` is None where all its rows are test rows.
    """
    own = np.ones(len(cells), dtype=bool) if ours is None else is_test(cells, ours)
    return own, is_test(cells, theirs)[own]


def _by_rule(ours: TestedOn, split: str) -> Positions | None:
    """Apply the champion's rule to our rows; None where it, or their file, cannot be had."""
    origin = ours.origin
    if split and split == origin.split and not origin.whole:
        return np.arange(len(ours.rows.y))  # a row's side is its own, whichever table it is in
    path = find_file(origin.file, origin.digest) if split and origin.split else None
    contract = ours.rows.contract
    found = (
        None
        if path is None
        else _read_sides(path, origin, split, contract.table_format, contract.target)
    )
    if found is None:
        return None
    cells, theirs = found
    columns = ours.rows.cells.columns
    same = set(columns) <= set(cells.columns) and np.array_equal(cells[columns], ours.rows.cells)
    return np.flatnonzero(theirs) if same else None


@lru_cache(maxsize=2)  # a large table takes seconds, and is asked for at each look at the receipt
def _read_sides(
    path: Path, origin: Origin, split: str, read: Read, target: str
) -> tuple[pd.DataFrame, Sides] | None:
    """Return the cells of our test rows, and which are test rows by the champion's rule as well."""
    cells = plain_cells(read_rows(path, read, target).cells, read)
    ours, theirs = (read_split_tag(text, origin.columns) for text in (origin.split, split))
    if theirs is None or not _chooses(theirs, cells):
        return None
    if not origin.whole and (ours is None or not _chooses(ours, cells)):
        return None
    own, theirs_too = sides(cells, None if origin.whole else ours, theirs)
    return cells[own], theirs_too


def _chooses(rule: SplitRule, cells: pd.DataFrame) -> bool:
    """True if a rule chooses test rows, and the table has the columns that it looks at."""
    if rule.time is not None:
        needed = {rule.time}
    elif rule.group is not None:
        needed = {rule.group}
    else:
        needed = {*rule.columns, *([rule.target] if rule.repeats == "apart" else [])}
    return (rule.test_size > 0 or rule.time is not None) and needed <= {*cells.columns}


def _in_both_tests(tracking: Tracking, name: str, champion: str, ours: TestedOn) -> Positions:
    """Find our rows among those that the champion was tested on, which DVC keeps."""
    version = find_version(tracking, name, champion)
    if "test" not in version.datasets:
        raise PipelineError(f"run {version.run_id} of {version} does not say what it was tested on")
    digest = version.datasets["test"].digest
    if digest == ours.digest:
        return np.arange(len(ours.rows.y))
    return np.sort(common_rows(ours.rows.cells, read_cells(find_test_rows(digest)))[0])
