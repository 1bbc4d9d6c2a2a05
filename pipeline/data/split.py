"""The rule that splits a table into training and test rows. Pure: cells in, sides out.

A row's side follows from what the row says and from the seed, never from the rows beside it.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.data.row_codes import CODE, Codes, cell_codes, repeats_before, row_codes, row_digests
from pipeline.data.times import read_time, read_times
from pipeline.params import Data, Params, is_index_name


class SplitRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rule that puts a row on its side; written as JSON it can be applied again later.

    `columns` are those whose cells are hashed.
    """

    seed: int
    test_size: float
    target: str
    columns: tuple[str, ...]
    repeats: Literal["together", "apart"] = "together"
    group: str | None = None
    time: str | None = None
    test_from: int | float | str | None = None

    @classmethod
    def of(cls, params: Params, header: Iterable[str]) -> "SplitRule":
        """Return the rule of the settings for a table with this header."""
        data = params.data
        return cls(
            seed=params.seed,
            # Where the test rows have a file of their own, none of the table is one.
            test_size=0 if data.has_test_file else params.preprocess.test_size,
            target=data.target,
            columns=hashed_columns(data, header),
            repeats=data.repeats,
            group=data.group,
            time=data.time,
            test_from=data.test_from,
        )


def hashed_columns(data: Data, header: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that say which row it is: not its target, nor what only numbers rows."""
    passed_over = {data.target, *data.row_numbers}
    names = {name for name in header if name not in passed_over and not is_index_name(name)}
    return tuple(sorted(names))


def is_test(cells: pd.DataFrame, rule: SplitRule) -> npt.NDArray[np.bool_]:
    """Return which rows of a table are test rows `[rows]`.

    `cells` are all of the file's, as text. A row without a time is none.
    """
    if rule.time is not None and rule.test_from is not None:
        as_numbers = not isinstance(rule.test_from, str)
        times = read_times(cells[rule.time], as_numbers=as_numbers)
        return np.asarray(times >= read_time(rule.test_from))
    return np.asarray(row_shares(cells, rule) < rule.test_size)


def row_shares(cells: pd.DataFrame, rule: SplitRule) -> npt.NDArray[np.float64]:
    """Return each row's keyed hash, or its group's, as a number in [0, 1) `[rows]`."""
    key = rule.seed.to_bytes(CODE.itemsize, "little")
    if rule.group is not None:
        hashes = row_digests(cell_codes(cells[rule.group])[:, np.newaxis], key)
    else:
        hashes = _row_hashes(cells, rule, key)
    return np.ldexp((hashes >> 11).astype(np.float64), -53)  # the bits that a float keeps


def _row_hashes(cells: pd.DataFrame, rule: SplitRule, key: bytes) -> Codes:
    codes = row_codes(cells, rule.columns)
    hashes = row_digests(codes, key)
    if rule.repeats == "together":
        return hashes
    # Counted within a class: then it is the same whichever of two equal rows comes first.
    earlier = repeats_before(np.column_stack([codes, cell_codes(cells[rule.target])]))
    numbered = row_digests(np.column_stack([codes, earlier.astype(CODE)]), key)
    return np.where(earlier > 0, numbered, hashes)
