"""The data contract: what a row must look like, at training and at every answer.

A table and a request are held to the same rules, on the same matrix of numbers, so that the two
ends cannot drift apart. This is the ground floor: nothing else of the project is imported here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

FloatMatrix = npt.NDArray[np.float64]


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column: what its values mean, which may stand in a row, which were seen in training."""

    name: str
    type: Literal["number", "integer", "boolean"] = "number"
    unit: str = ""
    description: str = ""
    nullable: bool = False
    missing_values: tuple[float, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    training_range: tuple[float, float] | None = None


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The features in the model's order, the target, and the decision threshold once it is known.

    `classes` are the target's values: the negative one (label 0), then the positive one (label 1).
    """

    schema_version: Literal[1] = 1
    target: str
    classes: tuple[str | int, str | int]
    features: tuple[Feature, ...]
    threshold: float | None = None

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def read(cls, path: Path) -> "Contract":
        return msgspec.json.decode(path.read_bytes(), type=cls)


class Violation(NamedTuple):
    """A value that breaks the contract: its row (from 0), its feature, and the sentence to say."""

    row: int
    feature: str
    detail: str


class InvalidRowsError(ValueError):
    """Rows that the contract refuses, with every violation found."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"row {v.row + 1}, {v.feature}: {v.detail}" for v in violations))
        self.violations = violations


def violations(contract: Contract, values: FloatMatrix) -> list[Violation]:
    """Find every value that must not be, in the order of the rows.

    `values` is `[rows, features]`; what is absent is NaN. Missing values by the contract's own
    numbers (a zero glucose) are exempt from the limits.
    """
    found: list[tuple[int, int, str]] = []
    for column, feature in enumerate(contract.features):
        x = values[:, column]
        for broken, detail in _rules(feature, x):
            found += [(int(row), column, detail(x[row])) for row in np.flatnonzero(broken)]
    found.sort()
    return [Violation(row, contract.features[column].name, text) for row, column, text in found]


def training_warnings(contract: Contract, values: FloatMatrix) -> list[list[str]]:
    """Say, row by row, which values lie outside the range seen in training."""
    notes: list[list[str]] = [[] for _ in range(len(values))]
    for column, feature in enumerate(contract.features):
        if feature.training_range is None:
            continue
        low, high = feature.training_range
        x = values[:, column]
        outside = ((x < low) | (x > high)) & ~_stands_for_missing(feature, x)
        for row in np.flatnonzero(outside):
            notes[row].append(
                f"{feature.name} {_number(x[row])} is outside the range seen in training, "
                f"{_number(low)} to {_number(high)}"
            )
    return notes


def to_matrix(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> FloatMatrix:
    """Turn rows as JSON gives them (`null` is missing) into `[rows, features]`.

    Raises InvalidRowsError for a field that is absent, unknown or no number, and for every value
    that breaks the contract.
    """
    names = contract.names
    wrong = [v for i, row in enumerate(rows) for v in _shape_violations(contract, i, row)]
    if wrong:
        raise InvalidRowsError(wrong)
    cells = [[np.nan if row[name] is None else row[name] for name in names] for row in rows]
    values = np.array(cells, dtype=np.float64).reshape(len(rows), len(names))
    wrong = violations(contract, values)
    if wrong:
        raise InvalidRowsError(wrong)
    return values


def _stands_for_missing(feature: Feature, x: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.isnan(x) | np.isin(x, feature.missing_values)


def _rules(feature: Feature, x: npt.NDArray[np.float64]) -> list[tuple[Any, Any]]:
    """Give each rule as a mask of the values that break it, and how to say so."""
    present = ~_stands_for_missing(feature, x)
    finite = present & np.isfinite(x)
    rules: list[tuple[Any, Any]] = [
        (present & ~finite, lambda v: f"{_number(v)} is not a finite number")
    ]
    if not feature.nullable:
        rules.append((np.isnan(x), lambda _: "is missing, and may not be"))
    if feature.type == "integer":
        rules.append((finite & (x != np.round(x)), lambda v: f"{_number(v)} is not a whole number"))
    if feature.type == "boolean":
        wrong = finite & ~np.isin(x, (0.0, 1.0))
        rules.append((wrong, lambda v: f"{_number(v)} is neither true (1) nor false (0)"))
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


def _shape_violations(contract: Contract, index: int, row: Mapping[str, Any]) -> list[Violation]:
    found = []
    for feature in contract.features:
        if feature.name not in row:
            hint = " (null, if it is not known)" if feature.nullable else ""
            found.append(Violation(index, feature.name, f"is not given{hint}"))
        elif (detail := _type_error(feature, row[feature.name])) is not None:
            found.append(Violation(index, feature.name, detail))
    names = contract.names
    for name in row:
        if name not in names:
            takes = ", ".join(names)
            found.append(Violation(index, name, f"is no feature of this model; it takes {takes}"))
    return found


def _type_error(feature: Feature, value: Any) -> str | None:
    if value is None or (isinstance(value, bool) and feature.type == "boolean"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "true or false" if feature.type == "boolean" else "a number"
        return f"{_shown(value)} is not {kind}"
    try:
        float(value)
    except OverflowError:
        return "is too large a number"
    return None


def _number(value: float) -> str:
    """Write a number in full, so that one just beyond a limit does not read as the limit."""
    return f"{value:.15g}"


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else text[:37] + "..."
