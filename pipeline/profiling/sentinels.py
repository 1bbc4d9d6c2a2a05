"""Find values that stand for "not known" among a column's own. Pure: arrays and texts in.

Nobody can know this from numbers alone, so whatever is found here is to be checked by people.
"""

import re

import numpy as np
import numpy.typing as npt

USUAL = (0.0, -1.0, -9.0, -99.0, -999.0, -9999.0, 9.0, 99.0, 999.0, 9999.0, 99999.0)
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


def suspicious(x: Numbers) -> list[float]:
    """Return repeated values such as 0, -1 or 999 that stand alone beyond all others.

    `x` is `[known rows]`. The gap must be wide beside the spread of the others, and beside the
    steps between those nearest to it: 0 is nothing odd where 1, 2 and 3 follow.
    """
    values, counts = np.unique(x, return_counts=True)
    usual = np.isin(values, USUAL)
    others = values[~usual]
    if len(others) < FEWEST_OTHERS:
        return []
    rest = x[~np.isin(x, USUAL)]
    spread = float(np.subtract(*np.percentile(rest, [75, 25])))
    return [
        float(value)
        for value, count in zip(values[usual], counts[usual], strict=True)
        if count > 1 and _far(float(value), others, spread, count / len(x))
    ]


def _far(value: float, others: Numbers, spread: float, share: float) -> bool:
    distances = np.sort(np.abs(others - value))
    inside = others[0] < value < others[-1]
    step = float(np.diff(distances[: STEPS + 1]).max())
    wide = NARROW if share >= SHARE else WIDE
    return not inside and bool(distances[0] >= max(FACTOR * step, wide * spread))
