"""Find columns that identify rows or things, rather than describe them. Pure: texts in.

A number that stands for one row, or one customer, is learned by heart and helps with no new row.
"""

import pandas as pd

from pipeline.profiling.columns.dates import are_compact
from pipeline.profiling.columns.names import CLOCKS, is_code, is_id, is_numbering, name_words

FEWEST_IDS = 50  # different values; with fewer, an identifier's name is that of a category
NEARLY_ALL = 0.9  # the share of the rows with a value of their own
LONG = 10  # digits, which no count or amount has in each row
FEWEST_CODES = 3
SECONDS = (946_684_800, 2_051_222_400)  # of 2000 and 2035, since 1970


def identifies(name: str, known: "pd.Series[str]", distinct: int) -> str:
    """Return why a column of whole numbers or codes is an identifier, nothing if it is none."""
    if distinct <= FEWEST_IDS:
        return ""
    different = distinct >= NEARLY_ALL * len(known)
    if is_id(name) or (different and is_numbering(name)):
        return f"is an identifier by its name, with {distinct} different values"
    if distinct < len(known):
        return ""
    lengths = known.str.len()
    if known.str.isdigit().all() and lengths.min() == lengths.max() >= LONG:
        return f"is an identifier: numbers of {lengths.max()} digits, each row has another one"
    return ""


def is_sequence_of_codes(known: "pd.Series[str]") -> bool:
    """True if each row has a code of its own, without spaces and mostly with digits: `P0017`."""
    return (
        known.is_unique
        and not known.str.contains(r"\s", regex=True).any()
        and bool(known.str.contains(r"\d", regex=True).mean() >= NEARLY_ALL)
    )


def names_things(name: str, known: "pd.Series[str]", distinct: int) -> str:
    """Return why whole numbers are names and no amounts, nothing if they are amounts."""
    if not known.str.fullmatch(r"\d+(?:\.0)?").all():
        return ""
    if known.str.fullmatch(r"0\d+").any():
        return "has whole numbers with leading zeros, which amounts do not have"
    if distinct >= FEWEST_CODES and is_code(name):
        return "has whole numbers that name things, by its name"
    return ""


def is_time(name: str, known: "pd.Series[str]") -> bool:
    """True if whole numbers are dates such as 20240131, or seconds since 1970 or called so."""
    if is_id(name) or is_numbering(name):
        return False
    return are_compact(known) or bool(name_words(name) & CLOCKS) or _are_seconds(known)


def _are_seconds(known: "pd.Series[str]") -> bool:
    """True if numbers may be the seconds since 1970, or the thousandths of them."""
    if not known.str.fullmatch(r"\d{10}|\d{13}").all():
        return False
    return bool(known.str[:10].astype("int64").between(*SECONDS).all())
