"""The meaning of a table's cell: missing, a boolean, a number, a category or none of them.

Training and every way of asking the model read a table by these rules: `preprocess`, `init`, a CSV
body of `/predict` and `score`.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from serving.model.contract import DAY_ZERO, Feature, NumberFormat

ABSENT = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})

BOOLEANS = {"true": True, "false": False}

# Narrower than `float`, which takes nan, infinity, 1_000 and digits of other scripts.
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

Cell = float | bool | str | None


def read_cell(feature: Feature, text: str) -> Cell:
    """Return what a cell means; text that the feature cannot be is returned without its spaces.

    A category may be called `None` or `NA`: then that word does not mean missing.
    """
    text = text.strip()
    if feature.type == "category":
        return None if text in ABSENT and text not in feature.codes else text
    if feature.type == "date":
        return None if text in ABSENT or text in feature.missing_values else text
    if text in ABSENT:
        return None
    if feature.type == "boolean" and (value := read_boolean(text)) is not None:
        return value
    number = None if feature.number_format is None else read_formatted(feature.number_format, text)
    number = read_number(text) if number is None else number
    return text if number is None else number


def read_number(text: str) -> float | None:
    """Return the number that a text without spaces around it is, None if it is none."""
    return float(text) if NUMBER.fullmatch(text) else None


def read_formatted(written: NumberFormat, text: str) -> float | None:
    """Return the number that a text of a format is, with or without its prefix and suffix.

    None where it is none of that format; it may be a plain number then.
    """
    found = _pattern(written).fullmatch(text)
    if found is None or (found["sign"] and found["inner"]):
        return None
    whole = re.sub(r"\D", "", found["whole"])
    number = float(f"{whole}.{found['fraction'] or 0}")
    return -number if "-" in (found["sign"], found["inner"]) else number


@lru_cache(maxsize=256)
def _pattern(written: NumberFormat) -> re.Pattern[str]:
    prefix, suffix, decimal = map(re.escape, (written.prefix, written.suffix, written.decimal))
    thousands = r"[ \u00a0\u202f]" if written.thousands == " " else re.escape(written.thousands)
    grouped = rf"[1-9][0-9]{{0,2}}(?:{thousands}[0-9]{{3}})+|" if thousands else ""
    number = rf"(?P<whole>{grouped}[0-9]+)(?:{decimal}(?P<fraction>[0-9]+))?"
    return re.compile(rf"(?P<sign>[+-]?)(?:{prefix})?\s?(?P<inner>[+-]?){number}\s?(?:{suffix})?")


def to_text(value: float | str) -> str:
    """Return a number with the 15 digits that a float64 surely keeps; a text is left as it is."""
    return value if isinstance(value, str) else f"{value:.15g}"


def write_value(feature: Feature, number: float) -> str:
    """Return a number of a matrix as the text that a table has for it; NaN is "nan"."""
    if feature.type == "boolean" and not np.isnan(number):
        return "true" if number else "false"
    return to_text(feature.decode(number) or number)


def read_boolean(text: str) -> bool | None:
    """Return the boolean that a word is, in capitals or not, None if it is none."""
    return BOOLEANS.get(text.lower())


def read_column(
    feature: Feature, texts: Sequence[str | None]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the cells of a column as a matrix has them, and which of them the feature cannot be.

    Both are `[texts]`; a number is NaN if the cell is missing or cannot be read, and that of all
    others where `unseen` says so of a text that is no category.
    """
    cells = [None if text is None else read_cell(feature, text) for text in texts]
    if feature.type == "date":
        return _dates(feature, cells)
    codes = feature.codes  # of a category; others have none
    other = feature.unseen_code
    numbers = np.array([_number(codes, other, cell) for cell in cells], dtype=np.float64)
    unread = [isinstance(cell, str) and cell not in codes for cell in cells]
    return numbers, np.array(unread, dtype=np.bool_)


def read_date(feature: Feature, text: str) -> float | None:
    """Return the days from 1970-01-01 to a date of the feature's format, None if it is none."""
    try:
        moment = datetime.strptime(text, feature.date_format)
    except ValueError:
        return None
    return float((moment.date() - DAY_ZERO).days)


def _dates(
    feature: Feature, cells: Sequence[Cell]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    days = [read_date(feature, cell) if isinstance(cell, str) else None for cell in cells]
    unread = [cell is not None and day is None for cell, day in zip(cells, days, strict=True)]
    numbers = np.array([np.nan if day is None else day for day in days], dtype=np.float64)
    return numbers, np.array(unread, dtype=np.bool_)


def _number(codes: dict[str, float], other: float, cell: Cell) -> float:
    if isinstance(cell, str):
        return codes.get(cell, other)
    return np.nan if cell is None else float(cell)
