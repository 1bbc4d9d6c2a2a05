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
from serving.model.reading import PLAIN, Read

ABSENT = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})

# What else means missing among numbers and booleans, in capitals or not: the words of pandas, of
# spreadsheets and of people. Among categories each may be one.
MARK = re.compile(
    r"[?.\-–—_*]+|#?n[./]?a\.?|#n/a n/a|<na>|-?nan|-?1\.#(?:ind|qnan)|"
    r"#(?:div/0|value|ref|num|null)!|#name\?|nil|none|null|missing|unknown|not known|not available|"
    r"k\. ?a\.|unbekannt|inconnue?|desconocid[oa]",
    re.IGNORECASE,
)

BOOLEANS = {"true": True, "false": False}

DECIMAL_COMMA = re.compile(r"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?")

# Narrower than `float`, which takes nan, infinity, 1_000 and digits of other scripts.
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

Cell = float | bool | str | None


def read_cell(feature: Feature, text: str, read: Read = PLAIN) -> Cell:
    """Return what a cell means; text that the feature cannot be is returned without its spaces.

    A category may be called `None` or `NA`: then that word does not mean missing.
    """
    plain = to_plain(text, read)
    if feature.type == "category":
        return None if plain in ABSENT and plain not in feature.codes else plain
    if feature.type == "date":
        return None if is_mark(plain) or plain in feature.missing_values else plain
    if is_mark(plain):
        return None
    if feature.type == "boolean" and (value := read_boolean(plain)) is not None:
        return value
    number = None
    if feature.number_format is not None:
        number = read_formatted(feature.number_format, plain)
    if number is None and not has_other_decimal(text, read):
        number = read_number(plain)
    return text.strip() if number is None else number


def to_plain(text: str, read: Read) -> str:
    """Return a cell as plain CSV has it: without spaces, with a decimal point, empty if missing."""
    text = text.strip()
    if "," in read.decimal and DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    return "" if read.na_values and _is_na(text, read) else text


def has_other_decimal(text: str, read: Read) -> bool:
    """True if a number has a point where the table's decimals have commas: 1.234 may be 1234."""
    return read.decimal == "," and "." in text


def _is_na(text: str, read: Read) -> bool:
    number = read_number(text)
    return text in read.na_values or (number is not None and number in read.na_values)


def is_mark(text: str) -> bool:
    """True if a cell without spaces around it means missing among numbers and booleans."""
    return text in ABSENT or MARK.fullmatch(text) is not None


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
    feature: Feature, texts: Sequence[str | None], read: Read = PLAIN
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the cells of a column as a matrix has them, and which of them the feature cannot be.

    Both are `[texts]`; a number is NaN if the cell is missing or cannot be read, and that of all
    others where `unseen` says so of a text that is no category.
    """
    cells = [None if text is None else read_cell(feature, text, read) for text in texts]
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
