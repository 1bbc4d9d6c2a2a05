"""Recognise dates, months and times of day among a column's texts. Pure."""

import re
from typing import NamedTuple

import pandas as pd

MOST = 0.9  # the share of the cells that are dates, in a column of dates
TRIED = 20  # cells, of which most must fit a format before all are tried
YEARS = (1900, 2100)

DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y"),
    *("%m/%d/%y", "%d/%m/%y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y"),
    *("%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d. %B %Y"),
)
MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b-%y", "%b-%Y", "%b %Y", "%B %Y")
COMPACT = "%Y%m%d"
_MOMENT = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T].*)?")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?")
_EIGHT_DIGITS = re.compile(r"\d{8}")


class Dates(NamedTuple):
    """A column's kind of dates, and the one format of all of them, empty if there is none."""

    kind: str
    format: str = ""


def find_dates(known: "pd.Series[str]") -> Dates | None:
    """Return what dates a column of texts has, None if it has none."""
    texts = pd.Series(known.unique(), dtype="str")
    for kind, formats in (("date", DAYS), ("month", MONTHS)):
        for written in formats:
            if _fits(texts, written):
                return Dates(kind, written)
    if are_compact(texts):
        return Dates("date", COMPACT)
    if _share(texts, _MOMENT) >= MOST:
        return Dates("date")
    return Dates("time of day") if _share(texts, _CLOCK) >= MOST else None


def are_compact(texts: "pd.Series[str]") -> bool:
    """True if whole numbers are dates such as 20240131."""
    return _share(texts, _EIGHT_DIGITS) == 1 and _fits(texts, COMPACT)


def _fits(texts: "pd.Series[str]", written: str) -> bool:
    return all(_parsed(part, written) >= MOST for part in (texts[:TRIED], texts))


def _parsed(texts: "pd.Series[str]", written: str) -> float:
    dates = pd.to_datetime(texts, format=written, errors="coerce")
    return float(dates.dt.year.between(*YEARS).mean())


def _share(texts: "pd.Series[str]", pattern: re.Pattern[str]) -> float:
    return float(texts.str.fullmatch(pattern).mean())
