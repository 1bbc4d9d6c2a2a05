"""Profile a column of texts: categories, or why it has none. Pure: cells in."""

import re
from collections import Counter

import msgspec
import pandas as pd

from pipeline.params import MIN_CATEGORY_ROWS
from pipeline.profiling.columns.column import MOST, Column, Left, example
from pipeline.profiling.columns.identifiers import is_sequence_of_codes

MOST_CATEGORIES = 2000  # a column of the model's for each
ROWS_PER_CATEGORY = 4  # on average; with fewer, texts are names or prose

_OTHER_NUMBER = re.compile(r"([A-Z]{3}|[^\w\s])?\s?[+-]?\d[\d.,' ]*([A-Z]{3}|[^\w\s])?")


def describe_texts(
    known: "pd.Series[str]", present: "pd.Series[str]", *, nullable: bool
) -> Column | Left:
    """Return the profile of a column of texts; `present` texts not in `known` mean missing."""
    if not _are_categories(known):
        return _no_category(known)
    return list_categories(known, present, nullable=nullable)


def describe_code(text: "pd.Series[str]", why: str, *, nullable: bool) -> Column | Left:
    """Return the profile of a column of whole numbers that name things, for the reason `why`."""
    if not _are_categories(text):
        return Left(f"{why}, {_different(text)}", type="identifier")
    column = list_categories(text, text, nullable=nullable)
    note = "; ".join(filter(None, (f"{why}: each is a category", column.note)))
    return msgspec.structs.replace(column, note=note, is_code=True)


def list_categories(
    known: "pd.Series[str]", present: "pd.Series[str]", *, nullable: bool
) -> Column:
    """Return the feature whose categories are the known texts; other present ones mean missing."""
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


def _are_categories(known: "pd.Series[str]") -> bool:
    """True if texts come again often enough: on average, or most rows have a frequent one."""
    counts = known.value_counts()
    frequent = counts[counts >= MIN_CATEGORY_ROWS].sum()
    enough = len(counts) * ROWS_PER_CATEGORY <= len(known) or 2 * frequent >= len(known)
    return enough and len(counts) <= MOST_CATEGORIES


def _no_category(known: "pd.Series[str]") -> Left:
    if float(known.str.fullmatch(_OTHER_NUMBER).mean()) >= MOST:
        return Left(
            f"is not written as numbers are, {example(known)}, nor in one way in all cells: a "
            "point for the decimals, no separators of thousands and no unit make it a feature",
            type="text",
        )
    if is_sequence_of_codes(known):
        return Left(
            f"is an identifier, such as {example(known)}: each row has another one",
            type="identifier",
        )
    return Left(f"is text, {_different(known)}", type="text")


def _different(known: "pd.Series[str]") -> str:
    return f"{known.nunique()} different ones in {len(known)} rows"
