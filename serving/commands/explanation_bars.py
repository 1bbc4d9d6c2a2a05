"""An explanation at the terminal: a line and a bar for each feature, the largest first.

Bars are drawn to the right of a middle line for what raises the log-odds of the class, and to the
left of it for what lowers them.
"""

import textwrap
import unicodedata
from collections.abc import Sequence

import numpy as np

from serving.explanations import Contribution, Explanation
from serving.model.contract import Contract, Feature
from serving.model.explanation import to_probabilities

LONGEST = 24  # columns of a feature's name, and of its value, before these are cut
CUT = ".."
BLOCK, RIGHT_HALF, LEFT_HALF, MIDDLE = "█", "▐", "▌", "│"


def to_lines(
    contract: Contract, explanation: Explanation, background: int, width: int
) -> list[str]:
    """Write an explanation in lines of at most so many columns."""
    said = textwrap.wrap(_summary(contract, explanation, background), width)
    return [*said, "", *_bars(contract, explanation.contributions, width)]


def _summary(contract: Contract, explanation: Explanation, background: int) -> str:
    log_odds = np.array([[explanation.base], [explanation.log_odds]])
    average, here = map(_percent, to_probabilities(log_odds).tolist())
    place = contract.labels.index(explanation.class_)
    which = f"that {contract.target} is {contract.classes_in_words[place]}"
    if not contract.is_binary:
        which += ", against all other classes"
    return (
        f"From the average of {background} training rows, {average}, to this row, {here}: what "
        f"raises (+) or lowers (-) the log-odds {which}. This is about the model, not about causes."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _bars(contract: Contract, contributions: Sequence[Contribution], width: int) -> list[str]:
    features = {feature.name: feature for feature in contract.features}
    longest = min(LONGEST, width // 4)
    names = _column([each.feature for each in contributions], longest)
    values = _column([_value(each, features[each.feature]) for each in contributions], longest)
    numbers = [f"{each.log_odds:+.3f}" for each in contributions]
    digits = max(map(len, numbers))
    largest = max(abs(each.log_odds) for each in contributions) or 1.0
    room = width - (columns_of(names[0]) + columns_of(values[0]) + digits + len("     ") + 1)
    half = max(1, room // 2)
    bars = [_bar(each.log_odds / largest, half) for each in contributions]
    rows = zip(names, values, numbers, bars, strict=True)
    return [f"{name}  {value}  {number:>{digits}} {bar}" for name, value, number, bar in rows]


def _bar(share: float, half: int) -> str:
    """Draw a share of the largest contribution, to half a block."""
    blocks, rest = divmod(round(abs(share) * half * 2), 2)
    if share < 0:
        return ((RIGHT_HALF if rest else "") + BLOCK * blocks).rjust(half) + MIDDLE
    return " " * half + MIDDLE + BLOCK * blocks + (LEFT_HALF if rest else "")


def _value(each: Contribution, feature: Feature) -> str:
    if each.value is None:
        return "missing"
    if isinstance(each.value, bool):
        return str(each.value).lower()
    text = f"{each.value:.6g}" if isinstance(each.value, float) else str(each.value)
    if each.value in feature.missing_values:
        return f"{text} (missing)"
    return f"{text} {feature.unit}" if feature.unit else text


def _column(texts: Sequence[str], longest: int) -> list[str]:
    """Cut texts to so many columns, and fill them up to the longest of them."""
    cut = [_cut(_printable(text), longest) for text in texts]
    widest = max(map(columns_of, cut))
    return [text + " " * (widest - columns_of(text)) for text in cut]


def _printable(text: str) -> str:
    # A table's own text must not steer the terminal.
    return "".join(character if character.isprintable() else "?" for character in text)


def _cut(text: str, longest: int) -> str:
    if columns_of(text) <= longest:
        return text
    while columns_of(text) > longest - len(CUT):
        text = text[:-1]
    return text + CUT


def columns_of(text: str) -> int:
    """Count the columns that a terminal gives to a text: two for wide characters."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )
