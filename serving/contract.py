"""The data contract: what a row must look like, at training and at every answer.

A table and a request are held to the same rules, on the same matrix of numbers, so that the two
ends cannot drift apart. This is the ground floor: nothing else of the project is imported here.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

FloatMatrix = npt.NDArray[np.float64]
SHOWN = 10  # categories that a sentence names


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column: what its values mean, which may stand in a row, which were seen in training.

    A category is one of the texts in `categories`, or one of `missing_values`, which are texts as
    well. In a matrix it is the place of its text, from 0, and NaN where it is missing. `unseen`
    says what becomes of any other text: it is refused, or taken as missing.
    """

    name: str
    type: Literal["number", "integer", "boolean", "category"] = "number"
    unit: str = ""
    description: str = ""
    nullable: bool = False
    missing_values: tuple[float | str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    training_range: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()
    unseen: Literal["refuse", "missing"] = "refuse"

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The missing values that stand in a matrix as they are."""
        return tuple(value for value in self.missing_values if not isinstance(value, str))

    @property
    def codes(self) -> dict[str, float]:
        """What stands in a matrix for each text that a category may be."""
        missing = {value: np.nan for value in self.missing_values if isinstance(value, str)}
        return missing | {text: float(place) for place, text in enumerate(self.categories)}

    def decode(self, number: float) -> float | str | None:
        """Give a number of a matrix as a row has it."""
        if np.isnan(number):
            return None
        return self.categories[int(number)] if self.type == "category" else number


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

    def example(self) -> dict[str, float | bool | str]:
        """Give a row that is allowed: the middle of what was seen in training, first categories."""
        return {feature.name: _middle(feature) for feature in self.features}

    def to_builtins(self) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.to_builtins(self)
        # What only categories have is left out of the others: their bytes, and with them a model's
        # digest, are what they were before there were any.
        for feature in document["features"]:
            if feature["type"] != "category":
                del feature["categories"], feature["unseen"]
        return document

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self.to_builtins()), indent=2) + b"\n"

    @classmethod
    def read(cls, path: Path) -> "Contract":
        return msgspec.json.decode(path.read_bytes(), type=cls)


class Violation(NamedTuple):
    """A value that breaks the contract: its row (from 0), its feature, and the sentence to say."""

    row: int
    feature: str
    detail: str


class Unseen(NamedTuple):
    """A text that is none of its feature's categories and was taken as missing; rows from 0."""

    row: int
    feature: str
    text: str

    @property
    def warning(self) -> str:
        what = f"{self.feature} {_shown(self.text)}"
        return f"{what} was not among the categories in training: taken as not known"


class InvalidRowsError(ValueError):
    """Rows that the contract refuses, with every violation found."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"row {v.row + 1}, {v.feature}: {v.detail}" for v in violations))
        self.violations = violations


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
        whole=np.flatnonzero([f.type in ("integer", "category") for f in features]),
        boolean=np.flatnonzero([f.type == "boolean" for f in features]),
        lowest=np.array([-largest if low is None else low for low, _ in limits]),
        highest=np.array([largest if high is None else high for _, high in limits]),
        sentinels=np.array(sentinels, dtype=np.float64).reshape(len(features), most).T,
        seen_from=np.array([low for low, _ in ranges]),
        seen_to=np.array([high for _, high in ranges]),
    )


def allows(contract: Contract, values: FloatMatrix) -> bool:
    """Tell whether no value breaks the contract: quick, where `violations` says which do."""
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
    if allows(contract, values):
        return []
    found: list[tuple[int, int, str]] = []
    for column, feature in enumerate(contract.features):
        x = values[:, column]
        for broken, detail in _rules(feature, x):
            found += [(int(row), column, detail(x[row])) for row in np.flatnonzero(broken)]
    found.sort()
    return [Violation(row, contract.features[column].name, text) for row, column, text in found]


def training_warnings(
    contract: Contract, values: FloatMatrix
) -> tuple[list[list[str]], dict[str, int]]:
    """Say, row by row, which values lie outside the range seen in training.

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
            f"{feature.name} {_number(values[row, column])} is outside the range seen in "
            f"training, {_number(low)} to {_number(high)}"
        )
    return notes, counts


def to_matrix(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> FloatMatrix:
    """Turn rows as JSON gives them (`null` is missing) into `[rows, features]`.

    Raises InvalidRowsError for a field that is absent, unknown or not of its type, and for every
    value that breaks the contract.
    """
    return encode_rows(contract, rows)[0]


def encode_rows(
    contract: Contract, rows: Sequence[Mapping[str, Any]], *, coded: bool = False
) -> tuple[FloatMatrix, list[Unseen]]:
    """Do what `to_matrix` does, and give the texts that were taken as missing as well.

    `coded` rows have categories as a matrix has them, as numbers, where others have texts.
    """
    names = contract.names
    wrong = [v for i, row in enumerate(rows) for v in _shape_violations(contract, i, row, coded)]
    if wrong:
        raise InvalidRowsError(wrong)
    numbers, unseen = (rows, []) if coded else _without_texts(contract, rows)
    cells = [[np.nan if row[name] is None else row[name] for name in names] for row in numbers]
    values = np.array(cells, dtype=np.float64).reshape(len(rows), len(names))
    wrong = violations(contract, values)
    if wrong:
        raise InvalidRowsError(wrong)
    return values, unseen


def no_category(feature: Feature, text: str) -> str:
    """Say of a text that it is none of a feature's categories."""
    return f"{_shown(text)} is none of the categories {_listed(feature.categories)}"


def _without_texts(
    contract: Contract, rows: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[Mapping[str, Any]], list[Unseen]]:
    """Put codes in the place of texts, and null in that of texts which no category has."""
    codes = {f.name: f.codes for f in contract.features if f.type == "category"}
    if not codes:
        return rows, []
    unseen = [
        Unseen(i, name, row[name])
        for i, row in enumerate(rows)
        for name, known in codes.items()
        if row[name] is not None and row[name] not in known
    ]
    return [
        {**row, **{name: known.get(row[name]) for name, known in codes.items()}} for row in rows
    ], unseen


def _stands_for_missing(feature: Feature, x: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.isnan(x) | np.isin(x, feature.missing_numbers)


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
    if feature.type == "category":
        wrong = finite & ~np.isin(x, np.arange(len(feature.categories)))
        rules.append((wrong, lambda v: f"{_number(v)} {_no_code(feature)}"))
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
        return 0, len(feature.categories) - 1
    return feature.minimum, feature.maximum


def _shape_violations(
    contract: Contract, index: int, row: Mapping[str, Any], coded: bool
) -> list[Violation]:
    type_error = _number_error if coded else _type_error
    found = []
    for feature in contract.features:
        if feature.name not in row:
            hint = " (null, if it is not known)" if feature.nullable else ""
            found.append(Violation(index, feature.name, f"is not given{hint}"))
        elif (detail := type_error(feature, row[feature.name])) is not None:
            found.append(Violation(index, feature.name, detail))
    names = contract.names
    for name in row:
        if name not in names:
            takes = ", ".join(names)
            found.append(Violation(index, name, f"is no feature of this model; it takes {takes}"))
    return found


def _type_error(feature: Feature, value: Any) -> str | None:
    if feature.type != "category" or value is None:
        return _number_error(feature, value)
    if not isinstance(value, str):
        return f"{_shown(value)} is not text; the categories are {_listed(feature.categories)}"
    if feature.unseen == "missing" or value in (*feature.categories, *feature.missing_values):
        return None
    return no_category(feature, value)


def _number_error(feature: Feature, value: Any) -> str | None:
    if value is None or (isinstance(value, bool) and feature.type == "boolean"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        if feature.type == "category":
            return f"{_shown(value)} {_no_code(feature)}"
        kind = "true or false" if feature.type == "boolean" else "a number"
        return f"{_shown(value)} is not {kind}"
    try:
        float(value)
    except OverflowError:
        return "is too large a number"
    return None


def _no_code(feature: Feature) -> str:
    categories = feature.categories
    ends = f"0 ({categories[0]}) to {len(categories) - 1} ({categories[-1]})"
    return f"is not the number of a category: whole numbers from {ends} are"


def _middle(feature: Feature) -> float | bool | str:
    if feature.type == "category":
        return feature.categories[0]
    low, high = feature.training_range or (feature.minimum or 0, feature.maximum or 1)
    if feature.type == "boolean":
        return bool(round(high))
    middle = (low + high) / 2
    return round(middle) if feature.type == "integer" else float(f"{middle:.3g}")


def _listed(categories: Sequence[str]) -> str:
    more = f", … ({len(categories)} in all)" if len(categories) > SHOWN else ""
    return ", ".join(categories[:SHOWN]) + more


def _number(value: float) -> str:
    """Write a number in full, so that one just beyond a limit does not read as the limit."""
    return f"{value:.15g}"


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else text[:37] + "..."
