"""The profile of a column: a feature of some type, or why it is none."""

from typing import Any, Literal

import msgspec
import pandas as pd

from serving.model.cells import read_column
from serving.model.contract import DatePart, Feature, NumberFormat

MOST, HALF = 0.9, 0.5  # of the cells

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


def to_numbers(text: "pd.Series[str]", kind: Type = "number") -> "pd.Series[float]":
    """Return stripped cells as plain numbers, NaN for what is missing or none."""
    return Column(type=kind).to_numbers(text)


def constant(x: "pd.Series[Any]") -> Left | None:
    """Return why a column of one value at most is left out."""
    if not len(x):
        return Left("has no value", type="constant")
    if x.nunique() > 1:
        return None
    return Left(f"has no other value than {x.iloc[0]}", type="constant")


def example(known: "pd.Series[str]") -> str:
    """Quote the beginning of the first cell."""
    return repr(known.iloc[0][:30])
