"""Rows as JSON has them, held to the contract and turned into a matrix of numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from serving.model.cells import read_date
from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.validation import (
    LISTED,
    InvalidRowsError,
    Violation,
    Violations,
    first_violations,
    format_value,
    listed,
    no_category,
    no_code,
    no_date,
)

LONGEST_NAME = 80  # characters of a field's name that a sentence repeats


class Unseen(NamedTuple):
    """A text that is no category of its own, and was taken as missing or as other; rows from 0."""

    row: int
    feature: str
    text: str
    taken_as: Literal["missing", "other", "rare"] = "missing"

    @classmethod
    def of(cls, row: int, feature: Feature, text: str) -> "Unseen":
        if text in feature.grouped:
            return cls(row, feature.name, text, "rare")
        return cls(row, feature.name, text, "other" if feature.unseen == "other" else "missing")

    @property
    def warning(self) -> str:
        what = f"{self.feature} {format_value(self.text)}"
        if self.taken_as == "rare":
            return f"{what} was rare in training: treated as other"
        return f"{what} was not among the categories in training: treated as {self.taken_as}"


class Rows(NamedTuple):
    """Rows that the contract allows: `values` `[rows, features]`, NaN where one is missing.

    `usual` says that none of them can lie outside the range seen in training; `unseen` are the
    texts that were taken as missing or as other.
    """

    values: FloatMatrix
    usual: bool = False
    unseen: Sequence[Unseen] = ()

    @classmethod
    def of(
        cls, contract: Contract, rows: Sequence[Mapping[str, Any]], *, coded: bool = False
    ) -> "Rows":
        """Hold rows to the contract; raises InvalidRowsError with the first violations only."""
        values, unseen = encode_rows(contract, rows, coded=coded, most=LISTED)
        return cls(values, unseen=unseen)


def to_matrix(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> FloatMatrix:
    """Turn rows as JSON gives them (`null` is missing) into `[rows, features]`.

    Raises InvalidRowsError for a field that is absent, unknown or not of its type, and for every
    value that breaks the contract.
    """
    return encode_rows(contract, rows)[0]


def encode_rows(
    contract: Contract,
    rows: Sequence[Mapping[str, Any]],
    *,
    coded: bool = False,
    most: int | None = None,
) -> tuple[FloatMatrix, list[Unseen]]:
    """Do what `to_matrix` does and return the texts that are no category of their own as well.

    `coded` rows have categories as a matrix has them, as numbers, where others have texts. `most`
    violations are written out, or all.
    """
    names = contract.names
    _refuse(Violations.of(_shape_violations(contract, rows, coded), most))
    numbers, unseen = (rows, []) if coded else _without_texts(contract, rows)
    cells = [[np.nan if row[name] is None else row[name] for name in names] for row in numbers]
    values = np.array(cells, dtype=np.float64).reshape(len(rows), len(names))
    _refuse(first_violations(contract, values, most))
    return values, unseen


def _refuse(found: Violations) -> None:
    if found.total:
        raise InvalidRowsError(found)


def _without_texts(
    contract: Contract, rows: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[Mapping[str, Any]], list[Unseen]]:
    """Put codes in the place of texts, and return those that are no category of their own.

    Spaces around a text mean nothing, as in a table.
    """
    rows = _without_dates(contract, rows)
    features = [(f, f.own_codes) for f in contract.features if f.type == "category"]
    if not features:
        return rows, []
    unseen = [
        Unseen.of(i, feature, text)
        for i, row in enumerate(rows)
        for feature, own in features
        if (text := _stripped(row[feature.name])) is not None and text not in own
    ]
    coded = [
        {**row, **{feature.name: _code(feature, own, row) for feature, own in features}}
        for row in rows
    ]
    return coded, unseen


def _stripped(text: str | None) -> str | None:
    return None if text is None else text.strip()


def _without_dates(
    contract: Contract, rows: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """Put the days since 1970 in the place of dates."""
    dates = [feature for feature in contract.features if feature.type == "date"]
    if not dates:
        return rows
    return [{**row, **{f.name: _days(f, row[f.name]) for f in dates}} for row in rows]


def _days(feature: Feature, text: str | None) -> float | None:
    text = _stripped(text)
    return None if text is None or text in feature.missing_values else read_date(feature, text)


def _code(feature: Feature, own: Mapping[str, float], row: Mapping[str, Any]) -> float | None:
    text = _stripped(row[feature.name])
    if text is None or text in own:
        return None if text is None else own[text]
    return float(len(feature.categories)) if text in feature.grouped else feature.unseen_code


def _shape_violations(
    contract: Contract, rows: Sequence[Mapping[str, Any]], coded: bool
) -> Iterator[Violation]:
    type_error = _number_error if coded else _type_error
    names = frozenset(contract.names)
    unknown = f"is no feature of this model; it takes {', '.join(contract.names)}"
    for index, row in enumerate(rows):
        for feature in contract.features:
            if feature.name not in row:
                hint = " (null, if it is missing)" if feature.nullable else ""
                yield Violation(index, feature.name, f"is not given{hint}")
            elif (detail := type_error(feature, row[feature.name])) is not None:
                yield Violation(index, feature.name, detail)
        for name in row:
            if name not in names:
                yield Violation(index, name[:LONGEST_NAME], unknown)


def _date_error(feature: Feature, value: Any) -> str | None:
    if value is None or value in feature.missing_values:
        return None
    if not isinstance(value, str):
        return f"{format_value(value)} is not text; a date is written as {feature.date_format}"
    return no_date(feature, value) if read_date(feature, value) is None else None


def _type_error(feature: Feature, value: Any) -> str | None:
    if feature.type == "date":
        return _date_error(feature, value)
    if feature.type != "category" or value is None:
        return _number_error(feature, value)
    if not isinstance(value, str):
        return f"{format_value(value)} is not text; the categories are {listed(feature.categories)}"
    if feature.unseen != "refuse" or value.strip() in feature.codes:
        return None
    return no_category(feature, value)


def _number_error(feature: Feature, value: Any) -> str | None:
    if value is None or (isinstance(value, bool) and feature.type == "boolean"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        if feature.type == "category":
            return f"{format_value(value)} {no_code(feature)}"
        kind = "true or false" if feature.type == "boolean" else "a number"
        return f"{format_value(value)} is not {kind}"
    try:
        float(value)
    except OverflowError:
        return "is too large a number"
    return None
