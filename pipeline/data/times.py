"""The times of rows: ISO 8601 dates and date-times, or numbers such as a year."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from serving.model.cells import read_number

Times = npt.NDArray[np.float64]

# Else pandas reads "now" and "today" as well.
_STARTS_WITH_A_YEAR = r"\d{4}.*"


def read_times(texts: "pd.Series[str]", *, as_numbers: bool) -> Times:
    """Return the times in a column `[rows]`, NaN where a cell is absent or none.

    Dates become seconds since 1970, in UTC where they name no other zone.
    """
    texts = texts.str.strip()
    if as_numbers:
        numbers = texts.map(read_number).to_numpy(dtype=np.float64)
        return np.where(np.isfinite(numbers), numbers, np.nan)
    years_first = texts.where(texts.str.fullmatch(_STARTS_WITH_A_YEAR))
    moments = pd.to_datetime(years_first, format="ISO8601", errors="coerce", utc=True)
    moments = moments.dt.as_unit("us")  # finer ones do not reach the year 9999
    return moments.astype("int64").where(moments.notna()).to_numpy(dtype=np.float64) / 1e6


def read_time(value: str | float) -> float:
    """Return a setting's time as a table's times are read, NaN if it is none."""
    as_numbers = not isinstance(value, str)
    return float(read_times(pd.Series([str(value)], dtype=str), as_numbers=as_numbers)[0])
