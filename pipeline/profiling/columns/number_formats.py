"""Find how a column writes its numbers: `12%`, `$1,000`, `1.614,41 €`, `50 mg`. Pure: texts in."""

import re
from typing import Literal, NamedTuple

import pandas as pd

from serving.model.cells import read_formatted
from serving.model.contract import NumberFormat

CURRENCIES = (
    *("$", "€", "£", "¥", "₹", "₽", "₩", "₺", "R$", "US$", "kr", "zł", "Kč", "Fr.", "EUR", "USD"),
    *("GBP", "CHF", "JPY", "CNY", "INR", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF"),
)
SEPARATORS: tuple[tuple[Literal[".", ","], Literal["", ",", ".", "'", " "]], ...] = (
    *((".", ""), (",", "")),  # of decimals, of thousands: plain ones first
    *((".", ","), (",", "."), (".", "'"), (".", " "), (",", " ")),
)
_PREFIX = "|".join(map(re.escape, sorted(CURRENCIES, key=len, reverse=True)))
_SHAPE = re.compile(
    rf"[+-]?(?P<prefix>{_PREFIX})?\s?[+-]?(?P<body>\d(?:[\d.,'\s]*\d)?)(?P<suffix>\s?[^\d\s.,'<>+-][^\d<>]*)?"
)
_BOUND = re.compile(r"[<>≤≥]=?\s?[\d.,]+")


class Reading(NamedTuple):
    """A format and an example of what it reads."""

    format: NumberFormat
    unit: str
    example: str

    @property
    def number(self) -> float:
        number = read_formatted(self.format, self.example)
        assert number is not None
        return number


def readings(known: "pd.Series[str]") -> list[Reading]:
    """Return the ways to read a column of numbers that are written with units or separators.

    Empty where not every cell has one shape; of two ways that read a cell differently, nobody
    but its author knows the right one.
    """
    parts = known.drop_duplicates().str.extract(f"^{_SHAPE.pattern}$").fillna("")
    if (parts["body"] == "").any() or parts[["prefix", "suffix"]].drop_duplicates().shape[0] > 1:
        return []
    prefix, suffix = parts["prefix"].iloc[0], parts["suffix"].iloc[0].strip()
    is_money = prefix != "" or suffix in CURRENCIES
    found: dict[tuple[float | None, ...], Reading] = {}
    for decimal, thousands in SEPARATORS:
        if is_money and _has_no_cents(parts["body"], decimal, thousands):
            continue
        written = NumberFormat(prefix=prefix, suffix=suffix, decimal=decimal, thousands=thousands)
        numbers = tuple(read_formatted(written, text) for text in known.unique())
        if None not in numbers:
            example = max(known.unique(), key=len)
            found.setdefault(numbers, Reading(written, prefix or suffix, example))
    return list(found.values())


def has_bounds(unread: "pd.Series[str]") -> bool:
    """True if all cells that are no number say that one is below or above another: `<5`."""
    return len(unread) > 0 and bool(unread.str.fullmatch(_BOUND).all())


def _has_no_cents(bodies: "pd.Series[str]", decimal: str, thousands: str) -> bool:
    """True if a currency's amounts would have three decimals or more, which none has."""
    last = bodies.str.extract(r"([.,])\d{3,}$")[0]
    return bool((last == decimal).any() and thousands != decimal)
