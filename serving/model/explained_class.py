"""Which class of each row is explained, and the parts of its log-odds.

The service, the command line and the columns of tables all take an explanation apart here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from serving.model.contract import FloatMatrix
from serving.model.explanation import Explanation


class Parts(NamedTuple):
    """Log-odds of rows, taken apart: `base` `[rows]` and the sum of `contributions` `[rows, d]`.

    `places` are the classes that they are of.
    """

    places: list[int]
    base: FloatMatrix
    contributions: FloatMatrix
    background: int

    @property
    def columns(self) -> FloatMatrix:
        """The columns that a table gets `[1 + d, rows]`: the base, then each contribution."""
        return np.vstack([self.base, self.contributions.T])


def take_class(
    explanation: Explanation, labels: Sequence[int], place: int | None, *, two: bool
) -> Parts:
    """Return the parts of one class, or for each row of that which `default_place` has.

    `labels` are the places of the answered classes; `two`: whether there are no more classes.
    """
    base, contributions, background = explanation
    places = [default_place(two, label) if place is None else place for label in labels]
    if two:
        # What raises the log-odds of one class lowers those of the other as much.
        sign = np.array([1.0 if each else -1.0 for each in places])
        return Parts(places, sign * base[0], sign[:, None] * contributions[:, :, 0], background)
    rows = np.arange(len(places))
    return Parts(places, base[places], contributions[rows, :, places], background)


def default_place(two: bool, label: int) -> int:
    """Return the class that is explained unless asked: the positive one, of more the predicted."""
    return 1 if two else label
