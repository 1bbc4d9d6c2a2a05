"""Find how a table is to be split: by what, from when on, and what only numbers its rows. Pure."""

from typing import Literal

import msgspec
import numpy as np
import pandas as pd

from pipeline.data.row_codes import repeats_before, row_codes
from pipeline.data.times import Times, read_times
from pipeline.errors import PipelineError
from pipeline.profiling.choices import NO_CHOICES, Choices
from pipeline.profiling.columns.amounts import NUMBERED_ROWS
from pipeline.profiling.columns.column import MOST, to_numbers
from pipeline.profiling.columns.identifiers import is_time
from pipeline.profiling.columns.names import IDS, KEYS, PEOPLE, name_words
from serving.model.cells import ABSENT

MOSTLY_DISTINCT = 0.9
FEWEST_GROUPS = 10
LARGEST_GROUP = 0.25  # the share of the rows; above it, a column is a category
SHARING = 0.25  # the share of rows that are not alone in their group
ROWS_OF_AN_ID = 10  # on average, of an identifier of we do not know what: a shop has more
FEWEST_YEARS = 5

TIMES = frozenset({"date", "datetime", "day", "time", "timestamp", "year"})
BIRTHS = frozenset({"birth", "birthdate", "birthday", "born", "dob"})

_ISO_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ].*)?|(?:19|20)\d\d-(?:0[1-9]|1[0-2])"


class SplitAdvice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settings of `data` that a table's columns suggest, and the reasons."""

    row_numbers: tuple[str, ...] = ()
    repeats: Literal["together", "apart"] = "together"
    group: str | None = None
    time: str | None = None
    test_from: str | int | None = None
    notes: tuple[str, ...] = ()


class Cut(msgspec.Struct, frozen=True):
    """A moment, as a table has it, and the share of the rows from it on."""

    test_from: str | int
    share: float


def advise(
    cells: pd.DataFrame, target: str, test_size: float, choices: Choices = NO_CHOICES
) -> SplitAdvice:
    """Return how to split a table; `cells` are stripped, without index columns."""
    columns = {name: cells[name] for name in cells.columns if name != target}
    numbers = tuple(name for name, text in columns.items() if numbers_rows(text))
    groups = [name for name, text in columns.items() if is_group(name, text)]
    # Of a patient and a visit it is the patient: the fewer and larger groups hold the others.
    found = min(groups, key=lambda name: columns[name].nunique(), default=None)
    group = choices.group or found
    time, cut, notes = _time(columns, test_size, choices.time)
    if group is not None and choices.group is None:
        notes.append(_about_group(group, columns[group]))
    repeats, about_repeats = _repeats(cells.drop(columns=[*numbers]))
    if group is None and time is None:
        notes += about_repeats
    return SplitAdvice(
        row_numbers=numbers,
        repeats=repeats,
        group=group,
        time=time,
        test_from=None if cut is None else cut.test_from,
        notes=tuple(notes),
    )


def numbers_rows(text: "pd.Series[str]") -> bool:
    """True if a column has the numbers from 0 or 1 on, in any order."""
    if text.nunique() != len(text) or len(text) < NUMBERED_ROWS:
        return False
    places = np.sort(to_numbers(text).to_numpy())
    return any(np.array_equal(places, np.arange(len(text)) + start) for start in (0, 1))


def is_group(name: str, text: "pd.Series[str]") -> bool:
    """True if a column names whom or what a row is of, and some have several rows."""
    words = name_words(name)
    entity = words - KEYS
    known = bool(entity or words & IDS) and entity <= PEOPLE
    if not known and not words & IDS:
        return False
    if text.isin(ABSENT).any() or not _are_names(text):
        return False
    rows = text.value_counts()
    return (
        len(rows) >= FEWEST_GROUPS
        and rows.iloc[0] <= LARGEST_GROUP * len(text)
        and rows[rows > 1].sum() >= SHARING * len(text)
        and (known or rows.mean() <= ROWS_OF_AN_ID)
    )


def _are_names(text: "pd.Series[str]") -> bool:
    numbers = to_numbers(text)
    return bool(numbers.isna().all() or (numbers.dropna() % 1 == 0).all())


def _about_group(name: str, text: "pd.Series[str]") -> str:
    return (
        f"column {name}: {text.nunique()} different ones in {len(text)} rows: with a random split, "
        f"rows of one {name} would be on both sides, and the test would look better than for new "
        f"ones; data.group keeps them on one side: set it to null where new rows are of the same "
        f"{name}"
    )


def _time(
    columns: "dict[str, pd.Series[str]]", test_size: float, chosen: str | None
) -> tuple[str | None, Cut | None, list[str]]:
    """Return the column of the rows' times, where to cut it, and what is to be told of it."""
    if chosen is not None:
        found = _cut_by(chosen, columns[chosen], test_size)
        return chosen, found, [_about_time(chosen, found)]
    # Those of the name come first.
    for name in sorted(columns, key=lambda name: not name_words(name) <= TIMES):
        text = columns[name]
        as_numbers = is_year(name, text) or is_number_of_time(name, text)
        if not as_numbers and not is_date(name, text):
            continue
        times = read_times(text, as_numbers=as_numbers)
        unread = np.flatnonzero(np.isnan(times))
        if unread.size:
            return None, None, [_about_unread(name, text, int(unread[0]), unread.size)]
        if (moment := cut(text, times, test_size)) is not None:
            return name, moment, [_about_time(name, moment)]
    return None, None, []


def _cut_by(name: str, text: "pd.Series[str]", test_size: float) -> Cut:
    """Return where a column that a user chose as the time cuts the rows."""
    for as_numbers in (False, True):
        times = read_times(text, as_numbers=as_numbers)
        if np.isnan(times).any():
            continue
        if (found := cut(text, times, test_size)) is not None:
            return found
        raise PipelineError(
            f"--time: column {name} has no moment from which about {test_size:.0%} of the rows "
            "are later: set data.time and data.test_from by hand"
        )
    row = int(np.flatnonzero(np.isnan(times))[0])
    raise PipelineError(
        f"--time: column {name} has {text.iloc[row]!r} in row {row + 1}: ISO dates such as "
        "2024-03-01, or numbers, are needed in all rows"
    )


def is_date(name: str, text: "pd.Series[str]") -> bool:
    """True if most cells of a column are ISO dates, and not of birth."""
    return bool(text.str.fullmatch(_ISO_DATE).mean() >= MOST) and not name_words(name) & BIRTHS


def is_year(name: str, text: "pd.Series[str]") -> bool:
    """True if a column is one of years by its name and its values, of which there are some."""
    words = name_words(name)
    return bool(
        words
        and words <= TIMES
        and text.str.fullmatch(r"(?:19|20)\d\d").all()
        and text.nunique() >= FEWEST_YEARS
    )


def is_number_of_time(name: str, text: "pd.Series[str]") -> bool:
    """True if a column has times as whole numbers, such as 20240131, and not of birth."""
    whole = bool(text.str.fullmatch(r"\d+").all())
    return whole and is_time(name, text) and not name_words(name) & BIRTHS


def cut(text: "pd.Series[str]", times: Times, test_size: float) -> Cut | None:
    """Return the moment that leaves about `test_size` of the rows for the test, if there is one."""
    _, first, counts = np.unique(times, return_index=True, return_counts=True)
    shares = 1 - np.cumsum(counts)[:-1] / len(times)  # of the rows after each moment
    if not shares.size:
        return None
    place = int(np.abs(shares - test_size).argmin()) + 1
    share = float(shares[place - 1])
    if not test_size / 2 <= share <= test_size * 2:
        return None
    written = text.iloc[first[place]]
    return Cut(int(written) if written.isdigit() else written, share)


def _about_time(name: str, found: Cut) -> str:
    return (
        f"column {name}: is the time of a row: the {found.share:.0%} of the rows from "
        f"{found.test_from} on are for the test (data.time, data.test_from), as a model answers "
        "for later rows than it was trained on, and a random split would hide what has changed; "
        "set both to null where time does not matter"
    )


def _about_unread(name: str, text: "pd.Series[str]", row: int, cells: int) -> str:
    are, them = ("is", "it") if cells == 1 else ("are", "them")
    return (
        f"column {name}: has dates, but {cells} of {len(text)} cells {are} none, such as "
        f"{text.iloc[row]!r} in row {row + 1}: correct {them} and run this again to test on the "
        "latest rows (data.time)"
    )


def _repeats(cells: pd.DataFrame) -> tuple[Literal["together", "apart"], list[str]]:
    earlier = repeats_before(row_codes(cells, sorted(cells.columns)))
    distinct = int((earlier == 0).sum())
    if distinct >= MOSTLY_DISTINCT * len(cells):
        return "together", []
    return "apart", [
        f"{distinct} of {len(cells)} rows are distinct: equal ones are taken for different cases, "
        "each on a side of its own (data.repeats: apart); set it to together where they are copies"
    ]
