"""Profile one column: a feature of some type, or one to leave out, and why. Pure: cells in."""

import re
from collections import Counter
from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd

from pipeline.errors import PipelineError
from pipeline.params import MIN_CATEGORY_ROWS
from pipeline.profiling.dates import are_compact, find_dates
from pipeline.profiling.identifiers import (
    identifies,
    is_sequence_of_codes,
    is_time,
    names_things,
)
from pipeline.profiling.marks import present_and_known
from pipeline.profiling.names import is_body_measure
from pipeline.profiling.number_formats import has_bounds, readings
from pipeline.profiling.sentinels import find_sentinels
from serving.model.cells import BOOLEANS, read_column, to_text
from serving.model.contract import DatePart, Feature, NumberFormat

MOST_CATEGORIES = 2000  # a column of the model's for each
ROWS_PER_CATEGORY = 4  # on average; with fewer, texts are names or prose
FEW_VALUES = 50  # at most which a text among numbers may be one more category
PARTS: tuple[DatePart, ...] = ("year", "month", "weekday", "days")
PARTS_OF_MONTHS: tuple[DatePart, ...] = ("year", "month", "days")
SLIPS = 0.01  # the share of cells that may be no number in a column of numbers,
MORE_SLIPS = 0.1  # and in one with too many values to be categories
MOST, HALF = 0.9, 0.5
NUMBERED_ROWS = 10

_OTHER_NUMBER = re.compile(r"([A-Z]{3}|[^\w\s])?\s?[+-]?\d[\d.,' ]*([A-Z]{3}|[^\w\s])?")


Type = Literal["number", "integer", "boolean", "category", "date"]


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A feature as `params.yaml` is to describe it, and why it is so."""

    type: Type
    nullable: bool = False
    categories: tuple[str, ...] = ()
    missing_values: tuple[float | str, ...] = ()
    missing_because: str = ""
    note: str = ""  # what else is to be known of it
    is_code: bool = False  # a category of whole numbers
    unseen: Literal["refuse", "other"] = "refuse"
    unit: str = ""
    number_format: NumberFormat | None = None
    date_format: str = ""
    parts: tuple[DatePart, ...] = ()

    def to_numbers(self, text: "pd.Series[str]") -> "pd.Series[float]":
        """Return stripped cells as this feature's numbers, NaN for what is missing or none."""
        feature = Feature(
            name="",
            type=self.type,
            number_format=self.number_format,
            date_format=self.date_format,
        )
        numbers, _ = read_column(feature, text.to_list())
        return pd.Series(numbers, text.index)


class Left(msgspec.Struct, frozen=True):
    """Why a column is no feature, and what it is; `leak` where it gives the target away."""

    reason: str
    leak: bool = False
    type: str = ""


def describe(name: str, text: "pd.Series[str]") -> Column | Left:
    """Return the profile of a column from its stripped cells."""
    present, known = present_and_known(text)
    nullable = len(present) < len(text)
    if _is_boolean(known):
        return _constant(to_numbers(known, "boolean")) or Column(type="boolean", nullable=nullable)
    numbers = to_numbers(known)
    if numbers.notna().mean() > HALF and has_bounds(known[numbers.isna()]):
        return _bounded(known[numbers.isna()], len(known))
    if _is_number(known, numbers):
        x = numbers.dropna()
        return _constant(x) or _number(
            name, x, known[numbers.notna()], rows=len(text), nullable=nullable
        )
    return (
        _constant(known)
        or _date(known)
        or _formatted(name, known, nullable=nullable)
        or _category(known, present, nullable=nullable)
    )


def as_category(_: str, text: "pd.Series[str]") -> Column | Left:
    """Return the profile of a column of which a user says that its texts are categories."""
    present, known = present_and_known(text)
    if (left := _constant(known)) is not None:
        return left
    column = _texts(known, present, nullable=len(present) < len(text))
    note = "; ".join(filter(None, ("a category as given", column.note)))
    return msgspec.structs.replace(column, note=note)


def as_number(name: str, text: "pd.Series[str]") -> Column | Left:
    """Return the profile of a column of which a user says that its cells are numbers.

    Raises PipelineError where most are none.
    """
    present, known = present_and_known(text)
    x = to_numbers(known).dropna()
    if 2 * len(x) < len(known):
        unread = known[~known.index.isin(x.index)]
        raise PipelineError(
            f"--number: column {name} has {len(unread)} cells that are no number, such as "
            f"{_short(unread)}"
        )
    nullable = len(present) < len(text)
    return _constant(x) or _amounts(name, x, nullable=nullable, note="a number as given")


def as_date(name: str, text: "pd.Series[str]") -> Column:
    """Return the profile of a column of which a user says that its dates are to be a feature.

    Raises PipelineError where they are not of one format.
    """
    present, known = present_and_known(text)
    dates = find_dates(known)
    if dates is None or not dates.format:
        raise PipelineError(
            f"--date: column {name} has no dates of one format, as {_short(known)} shows: write "
            "type: date with its date_format by hand, or the dates as 2024-01-31"
        )
    return Column(
        type="date",
        nullable=len(present) < len(text),
        date_format=dates.format,
        parts=PARTS if dates.kind == "date" else PARTS_OF_MONTHS,
        note="a date as given",
    )


def to_numbers(text: "pd.Series[str]", kind: Type = "number") -> "pd.Series[float]":
    """Return stripped cells as plain numbers, NaN for what is missing or none."""
    return Column(type=kind).to_numbers(text)


def _is_boolean(known: "pd.Series[str]") -> bool:
    words = pd.Series(known.unique(), dtype=str)
    has_words = words.str.lower().isin(BOOLEANS).any()
    return bool(has_words and to_numbers(words, "boolean").isin([0, 1]).all())


def _is_number(known: "pd.Series[str]", numbers: "pd.Series[float]") -> bool:
    """True if a column is one of numbers, with some slips of the pen at most."""
    slips = numbers.isna().mean() if len(known) else 1.0
    distinct = known.nunique()
    few = distinct <= FEW_VALUES and distinct * ROWS_PER_CATEGORY <= len(known)
    return bool(slips <= (SLIPS if few else MORE_SLIPS))


def _are_categories(known: "pd.Series[str]") -> bool:
    """True if texts come again often enough: on average, or most rows have a frequent one."""
    counts = known.value_counts()
    frequent = counts[counts >= MIN_CATEGORY_ROWS].sum()
    enough = len(counts) * ROWS_PER_CATEGORY <= len(known) or 2 * frequent >= len(known)
    return enough and len(counts) <= MOST_CATEGORIES


def _constant(x: "pd.Series[Any]") -> Left | None:
    if not len(x):
        return Left("has no value", type="constant")
    if x.nunique() > 1:
        return None
    return Left(f"has no other value than {x.iloc[0]}", type="constant")


def _date(known: "pd.Series[str]") -> Left | None:
    """Return why a column of dates is no feature, None if it has none."""
    if (dates := find_dates(known)) is None:
        return None
    how = "--date takes its parts" if dates.format else "take a number from it, such as an age"
    return Left(f"is a {dates.kind}, such as {_short(known)}; {how}", type="date")


def _bounded(unread: "pd.Series[str]", cells: int) -> Left:
    return Left(
        f"{len(unread)} of {cells} cells say that a number lies below or above, such as "
        f"{_short(unread)}: write a number in their place to make it a feature",
        type="text",
    )


def _formatted(name: str, known: "pd.Series[str]", *, nullable: bool) -> Column | Left | None:
    """Return the profile of a column of numbers with units or separators, None if it has none."""
    ways = readings(known)
    if not ways:
        return None
    if len(ways) > 1:
        first, second = (to_text(way.number) for way in ways[:2])
        return Left(
            f"can be read in two ways, {ways[0].example!r} as {first} or as {second}: write the "
            "numbers without separators of thousands to make it a feature",
            type="text",
        )
    (way,) = ways
    written = Column(type="number", number_format=way.format)
    column = _amounts(name, written.to_numbers(known), nullable=nullable)
    note = f"{way.example!r} is read as {to_text(way.number)}"
    return msgspec.structs.replace(
        column,
        unit=way.unit,
        number_format=way.format,
        note="; ".join(filter(None, (note, column.note))),
    )


def _number(
    name: str, x: "pd.Series[float]", text: "pd.Series[str]", *, rows: int, nullable: bool
) -> Column | Left:
    if _are_whole(x):
        found = _no_amount(name, x, text, rows=rows, nullable=nullable)
        if found is not None:
            return found
    return _amounts(name, x, nullable=nullable)


def _amounts(name: str, x: "pd.Series[float]", *, nullable: bool, note: str = "") -> Column:
    missing, keeps_zeros = find_sentinels(
        np.asarray(x, dtype=np.float64), of_a_body=is_body_measure(name)
    )
    others = x[~x.isin(missing)]
    counts = " and ".join(f"{(x == value).sum()} rows have {to_text(value)}" for value in missing)
    return Column(
        type="integer" if _are_whole(x) else "number",
        nullable=nullable,
        missing_values=tuple(missing),
        missing_because=f"{counts}, the others lie from {others.min():g} to {others.max():g}"
        if missing
        else "",
        note=_kept_zeros(others) if keeps_zeros else note,
    )


def _are_whole(x: "pd.Series[float]") -> bool:
    return bool((x == x.round()).all())


def _no_amount(
    name: str, x: "pd.Series[float]", text: "pd.Series[str]", *, rows: int, nullable: bool
) -> Column | Left | None:
    """Return what whole numbers are that are no amounts: row numbers, identifiers, codes, times."""
    distinct = x.nunique()
    if distinct == rows >= NUMBERED_ROWS and x.max() - x.min() == rows - 1:
        return Left(f"numbers the rows, from {x.min():.0f} to {x.max():.0f}", type="row number")
    if is_time(name, text):
        how = "; --date takes its parts" if are_compact(text) else ""
        return Left(f"is a time as a number, such as {_short(text)}{how}", type="date")
    if why := identifies(name, text, distinct):
        return Left(why, type="identifier")
    if why := names_things(name, text, distinct):
        return _code(text, why, nullable=nullable)
    return None


def _code(text: "pd.Series[str]", why: str, *, nullable: bool) -> Column | Left:
    if not _are_categories(text):
        return Left(f"{why}, {_different(text)}", type="identifier")
    column = _texts(text, text, nullable=nullable)
    note = "; ".join(filter(None, (f"{why}: each is a category", column.note)))
    return msgspec.structs.replace(column, note=note, is_code=True)


def _kept_zeros(x: "pd.Series[float]") -> str:
    others = x[x != 0]
    return (
        f"{(x == 0).sum()} rows ({(x == 0).mean():.0%}) have 0, the others lie from "
        f"{others.min():g} to {others.max():g}: kept as an amount; where 0 means not known, "
        "add missing_values: [0]"
    )


def _category(
    known: "pd.Series[str]", present: "pd.Series[str]", *, nullable: bool
) -> Column | Left:
    """Return the profile of a column of texts; `present` texts not in `known` mean missing."""
    if not _are_categories(known):
        return _no_category(known)
    return _texts(known, present, nullable=nullable)


def _texts(known: "pd.Series[str]", present: "pd.Series[str]", *, nullable: bool) -> Column:
    counts = Counter(present[~present.index.isin(known.index)])
    rows = known.value_counts()
    rare = int((rows < MIN_CATEGORY_ROWS).sum())
    grouped = 1 < rare < len(rows)
    return Column(
        type="category",
        nullable=nullable,
        categories=tuple(sorted(rows.index)),
        unseen="other" if grouped else "refuse",
        note=f"{rare} of them have fewer than {MIN_CATEGORY_ROWS} rows and are grouped, and new "
        "ones with them (unseen: other)"
        if grouped
        else "",
        missing_values=tuple(sorted(counts)),
        missing_because=" and ".join(
            f"{counts[text]} rows have {text!r}" for text in sorted(counts)
        ),
    )


def _no_category(known: "pd.Series[str]") -> Left:
    if float(known.str.fullmatch(_OTHER_NUMBER).mean()) >= MOST:
        return Left(
            f"is not written as numbers are, {_short(known)}, nor in one way in all cells: a point "
            "for the decimals, no separators of thousands and no unit make it a feature",
            type="text",
        )
    if is_sequence_of_codes(known):
        return Left(
            f"is an identifier, such as {_short(known)}: each row has another one",
            type="identifier",
        )
    return Left(f"is text, {_different(known)}", type="text")


def _different(known: "pd.Series[str]") -> str:
    return f"{known.nunique()} different ones in {len(known)} rows"


def _short(known: "pd.Series[str]") -> str:
    return repr(known.iloc[0][:30])
