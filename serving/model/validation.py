"""The contract's rules for a matrix of numbers, and how to say which of them a value breaks.

A table and a request are held to the same rules, on the same matrix, so that the two ends cannot
drift apart.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from serving.model.contract import DAY_ZERO, Contract, Feature, FloatMatrix

WHOLE = ("integer", "category", "date")
CALENDAR = float((date.min - DAY_ZERO).days), float((date.max - DAY_ZERO).days)
SHOWN = 10  # categories that a sentence names
LISTED = 10  # errors in one answer; a table full of them helps nobody
COUNTED = 10_000  # errors: a body can break a contract two million times, and each costs to see


class Violation(NamedTuple):
    """A value that breaks the contract: its row (from 0), its feature, and the sentence to say."""

    row: int
    feature: str
    detail: str


class Violations(NamedTuple):
    """The first violations, and how many there are in all; above `COUNTED` they are not counted."""

    first: list[Violation]
    total: int

    @classmethod
    def of(cls, found: Iterable[Violation], most: int | None) -> "Violations":
        """Take at most `most` of those found, or all, and count the others."""
        rest = iter(found)
        first = list(islice(rest, most))
        return cls(first, len(first) + sum(1 for _ in islice(rest, COUNTED)))


class InvalidRowsError(ValueError):
    """Rows that the contract refuses, with the first violations and the number of all."""

    def __init__(self, found: Violations) -> None:
        first, self.total = found
        super().__init__("; ".join(f"row {v.row + 1}, {v.feature}: {v.detail}" for v in first))
        self.violations = first

    @property
    def in_all(self) -> str:
        """Return how many violations there are, in words."""
        return f"{self.total} errors in all" if self.total <= COUNTED else f"over {COUNTED} errors"


class Bounds(NamedTuple):
    """A contract's rules as arrays `[features]`, to hold many rows to them at once.

    `sentinels` is `[most missing values of a feature, features]`, filled up with NaN.
    """

    nullable: npt.NDArray[np.bool_]
    whole: npt.NDArray[np.intp]
    boolean: npt.NDArray[np.intp]
    lowest: npt.NDArray[np.float64]
    highest: npt.NDArray[np.float64]
    sentinels: FloatMatrix
    seen_from: npt.NDArray[np.float64]
    seen_to: npt.NDArray[np.float64]


@lru_cache(maxsize=16)
def bounds(contract: Contract) -> Bounds:
    features = contract.features
    largest = np.finfo(np.float64).max
    missing = [f.missing_numbers for f in features]
    most = max(map(len, missing), default=0)
    sentinels = [numbers + (np.nan,) * (most - len(numbers)) for numbers in missing]
    limits = [_limits(f) for f in features]
    ranges = [f.training_range or (-np.inf, np.inf) for f in features]
    return Bounds(
        nullable=np.array([f.nullable for f in features]),
        whole=np.flatnonzero([f.type in WHOLE for f in features]),
        boolean=np.flatnonzero([f.type == "boolean" for f in features]),
        lowest=np.array([-largest if low is None else low for low, _ in limits]),
        highest=np.array([largest if high is None else high for _, high in limits]),
        sentinels=np.array(sentinels, dtype=np.float64).reshape(len(features), most).T,
        seen_from=np.array([low for low, _ in ranges]),
        seen_to=np.array([high for _, high in ranges]),
    )


def allows(contract: Contract, values: FloatMatrix) -> bool:
    """True if no value breaks the contract; quick, while `violations` finds which do."""
    rules = bounds(contract)
    allowed = (values >= rules.lowest) & (values <= rules.highest)
    if len(rules.whole):
        whole = values[:, rules.whole]
        allowed[:, rules.whole] &= whole == np.rint(whole)
    if len(rules.boolean):
        boolean = values[:, rules.boolean]
        allowed[:, rules.boolean] &= (boolean == 0) | (boolean == 1)
    allowed |= np.isnan(values) & rules.nullable
    for sentinel in rules.sentinels:
        allowed |= values == sentinel
    return bool(allowed.all())


def violations(contract: Contract, values: FloatMatrix) -> list[Violation]:
    """Find every value that must not be, in the order of the rows.

    `values` is `[rows, features]`; what is absent is NaN. Missing values by the contract's own
    numbers (a zero glucose) are exempt from the limits.
    """
    return first_violations(contract, values, most=None).first


def first_violations(contract: Contract, values: FloatMatrix, most: int | None) -> Violations:
    """Find the first values that must not be, as `violations` does, and count all."""
    if allows(contract, values):
        return Violations([], 0)
    found: list[tuple[int, int, str]] = []
    total = 0
    for column, feature in enumerate(contract.features):
        x = values[:, column]
        for broken, detail in _rules(feature, x):
            rows = np.flatnonzero(broken)
            total += len(rows)
            found += [(int(row), column, detail(x[row])) for row in rows[:most]]
    first = [
        Violation(row, contract.features[column].name, text)
        for row, column, text in sorted(found)[:most]
    ]
    return Violations(first, total)


def training_warnings(
    contract: Contract, values: FloatMatrix
) -> tuple[list[list[str]], dict[str, int]]:
    """Return, row by row, which values lie outside the range seen in training.

    Gives as well how many there are of each feature that has any.
    """
    rules = bounds(contract)
    outside = (values < rules.seen_from) | (values > rules.seen_to)
    for sentinel in rules.sentinels:
        outside &= values != sentinel
    notes: list[list[str]] = [[] for _ in range(len(values))]
    counts: dict[str, int] = {}
    for row, column in zip(*np.nonzero(outside), strict=True):
        feature = contract.features[column]
        low, high = feature.training_range or (-np.inf, np.inf)
        counts[feature.name] = counts.get(feature.name, 0) + 1
        notes[row].append(
            f"{feature.name} {_written(feature, values[row, column])} is outside the range seen in "
            f"training, {_written(feature, low)} to {_written(feature, high)}"
        )
    return notes, counts


def no_category(feature: Feature, text: str) -> str:
    """Format that a text is none of a feature's categories."""
    return f"{format_value(text)} is none of the categories {listed(feature.categories)}"


def no_date(feature: Feature, text: str) -> str:
    """Format that a text is no date as a feature's are written."""
    return f"{format_value(text)} is no date that is written as {feature.date_format}"


def no_code(feature: Feature) -> str:
    last = feature.code_count - 1
    ends = f"0 ({feature.categories[0]}) to {last} ({feature.decode(last)})"
    return f"is not the number of a category: whole numbers from {ends} are"


def listed(categories: Sequence[str]) -> str:
    more = f", … ({len(categories)} in all)" if len(categories) > SHOWN else ""
    return ", ".join(categories[:SHOWN]) + more


def format_value(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else text[:37] + "..."


def _stands_for_missing(feature: Feature, x: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.isnan(x) | np.isin(x, feature.missing_numbers)


def _rules(feature: Feature, x: npt.NDArray[np.float64]) -> list[tuple[Any, Any]]:
    """Return each rule as a mask of the values that break it, and how to say so."""
    present = ~_stands_for_missing(feature, x)
    finite = present & np.isfinite(x)
    rules: list[tuple[Any, Any]] = [
        (present & ~finite, lambda v: f"{_number(v)} is not a finite number")
    ]
    if not feature.nullable:
        rules.append((np.isnan(x), lambda _: "is missing, and may not be"))
    if feature.type in ("integer", "date"):
        rules.append((finite & (x != np.round(x)), lambda v: f"{_number(v)} is not a whole number"))
    if feature.type == "boolean":
        wrong = finite & ~np.isin(x, (0.0, 1.0))
        rules.append((wrong, lambda v: f"{_number(v)} is neither true (1) nor false (0)"))
    if feature.type == "category":
        wrong = finite & ~np.isin(x, np.arange(feature.code_count))
        rules.append((wrong, lambda v: f"{_number(v)} {no_code(feature)}"))
    if feature.type == "date":
        first, last = CALENDAR
        beyond = finite & ((x < first) | (x > last))
        rules.append((beyond, lambda v: f"{_number(v)} is beyond the calendar"))
    if feature.minimum is not None:
        low = feature.minimum
        rules.append(
            (
                finite & (x < low),
                lambda v: f"{_number(v)} is below the lowest possible, {_number(low)}",
            )
        )
    if feature.maximum is not None:
        top = feature.maximum
        rules.append(
            (
                finite & (x > top),
                lambda v: f"{_number(v)} is above the highest possible, {_number(top)}",
            )
        )
    return rules


def _limits(feature: Feature) -> tuple[float | None, float | None]:
    if feature.type == "category":
        return 0, feature.code_count - 1
    if feature.type == "date":
        return CALENDAR
    return feature.minimum, feature.maximum


def _written(feature: Feature, value: float) -> str:
    return str(feature.decode(value)) if feature.type == "date" else _number(value)


def _number(value: float) -> str:
    """Write a number in full, so that one just beyond a limit does not read as the limit."""
    return f"{value:.15g}"
