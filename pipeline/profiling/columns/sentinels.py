"""Find values that stand for "not known" among a column's own. Pure: arrays and texts in.

Nobody can know this from numbers alone, so whatever is found here is to be checked by people.
"""

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

USUAL = (
    *(0.0, -1.0, -9.0, -99.0, -99.9, -200.0, -999.0, -999.9, -9999.0),
    *(9.0, 99.0, 999.0, 9999.0, 99999.0),
)
MANY_ZEROS = 0.1  # the share of the rows from which zeros are amounts
FAR = 3.0  # times the range of all other values, from which any repeated value is odd
REPEATED = 3
FEWEST_OTHERS = 5  # distinct values, below which a gap between them says nothing
STEPS = 5
FACTOR = 2.5
# Of the middle half of the other values: so wide a gap is enough alone, or with so large a share
# of the rows on its far side.
WIDE, NARROW, SHARE = 0.5, 0.1, 0.1
_TEXT = re.compile(r"[?.\-–—_*]+|#?n[./]?a\.?|#n/a|nil|missing|unknown|not known|not available")

Numbers = npt.NDArray[np.float64]


def stands_for_missing(text: str) -> bool:
    """True if a text in a column says that nothing is known: `?`, `-`, `unknown`."""
    return _TEXT.fullmatch(text.lower()) is not None


class Sentinels(NamedTuple):
    """Values that stand for "not known", and whether zeros that look so are too many to be."""

    missing: list[float]
    keeps_zeros: bool


def find_sentinels(x: Numbers, *, of_a_body: bool = False) -> Sentinels:
    """Return the values of a column `[known rows]` that stand alone beyond all others.

    Many zeros are amounts (a discount, a capital gain) and are kept, unless the column is a measure
    of a body, which is never 0.
    """
    found = suspicious(x)
    keeps_zeros = 0.0 in found and not of_a_body and float((x == 0).mean()) >= MANY_ZEROS
    return Sentinels([value for value in found if value or not keeps_zeros], keeps_zeros)


def suspicious(x: Numbers) -> list[float]:
    """Return repeated values such as 0, -1 or 8888 that stand alone beyond all others.

    `x` is `[known rows]`. For a usual one the gap must be wide beside the spread of the others, and
    beside the steps between those nearest to it: 0 is nothing odd where 1, 2 and 3 follow. Any
    other must lie so far outside that the others are next to one another.
    """
    values, counts = np.unique(x, return_counts=True)
    usual = np.isin(values, USUAL)
    far = _far_outside(values[~usual], counts[~usual])
    others = values[~usual & ~np.isin(values, far)]
    if len(others) < FEWEST_OTHERS:
        return []
    rest = x[np.isin(x, others)]
    spread = float(np.subtract(*np.percentile(rest, [75, 25])))
    alone = [
        float(value)
        for value, count in zip(values[usual], counts[usual], strict=True)
        if count > 1 and _far(float(value), others, spread, count / len(x))
    ]
    return sorted([*alone, *far])


def _far_outside(values: Numbers, counts: npt.NDArray[np.int64]) -> list[float]:
    """Return the ends of sorted values that are repeated and many times the others' range away."""
    inside = values[1:-1]
    if len(inside) < FEWEST_OTHERS:
        return []
    least = FAR * np.ptp(inside)
    ends = ((0, inside[0] - values[0]), (-1, values[-1] - inside[-1]))
    return [float(values[end]) for end, gap in ends if counts[end] >= REPEATED and gap >= least]


def _far(value: float, others: Numbers, spread: float, share: float) -> bool:
    distances = np.sort(np.abs(others - value))
    inside = others[0] < value < others[-1]
    step = float(np.diff(distances[: STEPS + 1]).max())
    wide = NARROW if share >= SHARE else WIDE
    return not inside and bool(distances[0] >= max(FACTOR * step, wide * spread))
