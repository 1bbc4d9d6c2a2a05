"""Profile a column of plain numbers: amounts, or what numbers are that are none. Pure: cells in."""

import numpy as np
import pandas as pd

from pipeline.profiling.columns.categories import describe_code
from pipeline.profiling.columns.column import Column, Left, example
from pipeline.profiling.columns.dates import are_compact
from pipeline.profiling.columns.identifiers import identifies, is_time, names_things
from pipeline.profiling.columns.names import is_body_measure
from pipeline.profiling.columns.sentinels import find_sentinels
from serving.model.cells import to_text

NUMBERED_ROWS = 10  # at least


def describe_numbers(
    name: str, x: "pd.Series[float]", text: "pd.Series[str]", *, rows: int, nullable: bool
) -> Column | Left:
    """Return the profile of a column from its numbers, and from the texts that they were."""
    if _are_whole(x):
        found = _no_amount(name, x, text, rows=rows, nullable=nullable)
        if found is not None:
            return found
    return describe_amounts(name, x, nullable=nullable)


def describe_amounts(name: str, x: "pd.Series[float]", *, nullable: bool, note: str = "") -> Column:
    """Return the feature that numbers are, with those that stand for "not known"."""
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
        return Left(f"is a time as a number, such as {example(text)}{how}", type="date")
    if why := identifies(name, text, distinct):
        return Left(why, type="identifier")
    if why := names_things(name, text, distinct):
        return describe_code(text, why, nullable=nullable)
    return None


def _kept_zeros(x: "pd.Series[float]") -> str:
    others = x[x != 0]
    return (
        f"{(x == 0).sum()} rows ({(x == 0).mean():.0%}) have 0, the others lie from "
        f"{others.min():g} to {others.max():g}: kept as an amount; where 0 means not known, "
        "add missing_values: [0]"
    )
