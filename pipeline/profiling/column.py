"""Profile one column: a feature of some type, or one to leave out, and why. Pure: cells in."""

import re
from collections import Counter
from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd

from pipeline.profiling.marks import present_and_known
from pipeline.profiling.sentinels import suspicious
from serving.model.cells import BOOLEANS, read_column
from serving.model.contract import Feature

MOST_CATEGORIES = 50
ROWS_PER_CATEGORY = 4  # on average; with fewer, texts are names or prose
SLIPS = 0.01  # the share of cells that may be no number in a column of numbers,
MORE_SLIPS = 0.1  # and in one with too many values to be categories
MOST = 0.9
NUMBERED_ROWS = 10

_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?")
_OTHER_NUMBER = re.compile(r"([A-Z]{3}|[^\w\s])?\s?[+-]?\d[\d.,' ]*([A-Z]{3}|[^\w\s])?")
_ID = re.compile(r"(.*[\W_])?(id|ID|Id|uuid|UUID)|.*[a-z](ID|Id)")


Type = Literal["number", "integer", "boolean", "category"]


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A feature as `params.yaml` is to describe it, and why values are taken for missing."""

    type: Type
    nullable: bool = False
    categories: tuple[str, ...] = ()
    missing_values: tuple[float | str, ...] = ()
    missing_because: str = ""


class Left(msgspec.Struct, frozen=True):
    """Why a column is no feature; `leak` where it gives the target away."""

    reason: str
    leak: bool = False


def describe(name: str, text: "pd.Series[str]") -> Column | Left:
    """Return the profile of a column from its stripped cells."""
    present, known = present_and_known(text)
    nullable = len(present) < len(text)
    if _is_boolean(known):
        return _constant(to_numbers(known, "boolean")) or Column(type="boolean", nullable=nullable)
    numbers = to_numbers(known)
    if _is_number(known, numbers):
        x = numbers.dropna()
        return _constant(x) or _number(name, x, rows=len(text), nullable=nullable)
    return _constant(known) or _category(known, present, nullable=nullable)


def to_numbers(text: "pd.Series[str]", kind: Type = "number") -> "pd.Series[float]":
    """Return stripped cells as numbers, NaN for what is missing or none."""
    numbers, _ = read_column(Feature(name="", type=kind), text.to_list())
    return pd.Series(numbers, text.index)


def _is_boolean(known: "pd.Series[str]") -> bool:
    words = pd.Series(known.unique(), dtype=str)
    has_words = words.str.lower().isin(BOOLEANS).any()
    return bool(has_words and to_numbers(words, "boolean").isin([0, 1]).all())


def _is_number(known: "pd.Series[str]", numbers: "pd.Series[float]") -> bool:
    """True if a column is one of numbers, with some slips of the pen at most."""
    slips = numbers.isna().mean() if len(known) else 1.0
    return bool(slips <= (SLIPS if _few(known) else MORE_SLIPS))


def _few(known: "pd.Series[str]") -> bool:
    distinct = known.nunique()
    return distinct <= MOST_CATEGORIES and distinct * ROWS_PER_CATEGORY <= len(known)


def _constant(x: "pd.Series[Any]") -> Left | None:
    if not len(x):
        return Left("has no value")
    return Left(f"has no other value than {x.iloc[0]}") if x.nunique() < 2 else None


def _number(name: str, x: "pd.Series[float]", *, rows: int, nullable: bool) -> Column | Left:
    whole = bool((x == x.round()).all())
    distinct = x.nunique()
    if whole and distinct == rows >= NUMBERED_ROWS and x.max() - x.min() == rows - 1:
        return Left(f"numbers the rows, from {x.min():.0f} to {x.max():.0f}")
    if whole and distinct > MOST_CATEGORIES and _ID.fullmatch(name):
        return Left(f"is an identifier by its name, with {distinct} different values")
    missing = suspicious(np.asarray(x, dtype=np.float64))
    others = x[~x.isin(missing)]
    counts = " and ".join(f"{(x == value).sum()} rows have {value:g}" for value in missing)
    return Column(
        type="integer" if whole else "number",
        nullable=nullable,
        missing_values=tuple(missing),
        missing_because=f"{counts}, the others lie from {others.min():g} to {others.max():g}"
        if missing
        else "",
    )


def _category(
    known: "pd.Series[str]", present: "pd.Series[str]", *, nullable: bool
) -> Column | Left:
    """Return the profile of a column of texts; `present` texts not in `known` mean missing."""
    if _share(known, _DATE) >= MOST:
        return Left(f"is a date, such as {_short(known)}; take a number from it, such as an age")
    if not _few(known):
        if _share(known, _OTHER_NUMBER) >= MOST:
            return Left(
                f"is not written as numbers are, {_short(known)}: a point for the decimals, "
                "no separators of thousands and no unit make it a feature"
            )
        return Left(f"is text, {known.nunique()} different ones in {len(known)} rows")
    counts = Counter(present[~present.index.isin(known.index)])
    return Column(
        type="category",
        nullable=nullable,
        categories=tuple(sorted(known.unique())),
        missing_values=tuple(sorted(counts)),
        missing_because=" and ".join(
            f"{counts[text]} rows have {text!r}" for text in sorted(counts)
        ),
    )


def _share(known: "pd.Series[str]", pattern: re.Pattern[str]) -> float:
    return float(known.map(lambda text: pattern.fullmatch(text) is not None).mean())


def _short(known: "pd.Series[str]") -> str:
    return repr(known.iloc[0][:30])
