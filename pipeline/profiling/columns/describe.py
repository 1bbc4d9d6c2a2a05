"""Profile a column by its name and its stripped cells, or as a user says what it is. Pure."""

import msgspec
import pandas as pd

from pipeline.errors import PipelineError
from pipeline.profiling.columns.amounts import describe_amounts, describe_numbers
from pipeline.profiling.columns.categories import (
    ROWS_PER_CATEGORY,
    describe_texts,
    list_categories,
)
from pipeline.profiling.columns.column import HALF, Column, Left, constant, example, to_numbers
from pipeline.profiling.columns.dates import find_dates
from pipeline.profiling.columns.marks import present_and_known
from pipeline.profiling.columns.number_formats import has_bounds, readings
from serving.model.cells import BOOLEANS, to_text
from serving.model.contract import DatePart

FEW_VALUES = 50  # at most which a text among numbers may be one more category
PARTS: tuple[DatePart, ...] = ("year", "month", "weekday", "days")
PARTS_OF_MONTHS: tuple[DatePart, ...] = ("year", "month", "days")
SLIPS = 0.01  # the share of cells that may be no number in a column of numbers,
MORE_SLIPS = 0.1  # and in one with too many values to be categories


def describe(name: str, text: "pd.Series[str]") -> Column | Left:
    """Return the profile of a column from its stripped cells."""
    present, known = present_and_known(text)
    nullable = len(present) < len(text)
    if _is_boolean(known):
        return constant(to_numbers(known, "boolean")) or Column(type="boolean", nullable=nullable)
    numbers = to_numbers(known)
    if numbers.notna().mean() > HALF and has_bounds(known[numbers.isna()]):
        return _bounded(known[numbers.isna()], len(known))
    if _is_number(known, numbers):
        x = numbers.dropna()
        return constant(x) or describe_numbers(
            name, x, known[numbers.notna()], rows=len(text), nullable=nullable
        )
    return (
        constant(known)
        or _date(known)
        or _formatted(name, known, nullable=nullable)
        or describe_texts(known, present, nullable=nullable)
    )


def as_category(_: str, text: "pd.Series[str]") -> Column | Left:
    """Return the profile of a column of which a user says that its texts are categories."""
    present, known = present_and_known(text)
    if (left := constant(known)) is not None:
        return left
    column = list_categories(known, present, nullable=len(present) < len(text))
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
            f"{example(unread)}"
        )
    nullable = len(present) < len(text)
    return constant(x) or describe_amounts(name, x, nullable=nullable, note="a number as given")


def as_date(name: str, text: "pd.Series[str]") -> Column:
    """Return the profile of a column of which a user says that its dates are to be a feature.

    Raises PipelineError where they are not of one format.
    """
    present, known = present_and_known(text)
    dates = find_dates(known)
    if dates is None or not dates.format:
        raise PipelineError(
            f"--date: column {name} has no dates of one format, as {example(known)} shows: write "
            "type: date with its date_format by hand, or the dates as 2024-01-31"
        )
    return Column(
        type="date",
        nullable=len(present) < len(text),
        date_format=dates.format,
        parts=PARTS if dates.kind == "date" else PARTS_OF_MONTHS,
        note="a date as given",
    )


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


def _date(known: "pd.Series[str]") -> Left | None:
    """Return why a column of dates is no feature, None if it has none."""
    if (dates := find_dates(known)) is None:
        return None
    how = "--date takes its parts" if dates.format else "take a number from it, such as an age"
    return Left(f"is a {dates.kind}, such as {example(known)}; {how}", type="date")


def _bounded(unread: "pd.Series[str]", cells: int) -> Left:
    return Left(
        f"{len(unread)} of {cells} cells say that a number lies below or above, such as "
        f"{example(unread)}: write a number in their place to make it a feature",
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
    column = describe_amounts(name, written.to_numbers(known), nullable=nullable)
    note = f"{way.example!r} is read as {to_text(way.number)}"
    return msgspec.structs.replace(
        column,
        unit=way.unit,
        number_format=way.format,
        note="; ".join(filter(None, (note, column.note))),
    )
