"""Rows as JSON has them, held to the contract and turned into a matrix of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.validation import (
    InvalidRowsError,
    Violation,
    format_value,
    listed,
    no_category,
    no_code,
    violations,
)


class Unseen(NamedTuple):
    """A text that is none of its feature's categories and was taken as missing; rows from 0."""

    row: int
    feature: str
    text: str

    @property
    def warning(self) -> str:
        what = f"{self.feature} {format_value(self.text)}"
        return f"{what} was not among the categories in training: treated as missing"


class Rows(NamedTuple):
    """Rows that the contract allows: `values` `[rows, features]`, NaN where one is missing.

    `usual` says that none of them can lie outside the range seen in training; `unseen` are the
    texts that were taken as missing.
    """

    values: FloatMatrix
    usual: bool = False
    unseen: Sequence[Unseen] = ()

    @classmethod
    def of(
        cls, contract: Contract, rows: Sequence[Mapping[str, Any]], *, coded: bool = False
    ) -> "Rows":
        """Hold rows to the contract; raises InvalidRowsError (see `contract.encode_rows`)."""
        values, unseen = encode_rows(contract, rows, coded=coded)
        return cls(values, unseen=unseen)


def to_matrix(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> FloatMatrix:
    """Turn rows as JSON gives them (`null` is missing) into `[rows, features]`.

    Raises InvalidRowsError for a field that is absent, unknown or not of its type, and for every
    value that breaks the contract.
    """
    return encode_rows(contract, rows)[0]


def encode_rows(
    contract: Contract, rows: Sequence[Mapping[str, Any]], *, coded: bool = False
) -> tuple[FloatMatrix, list[Unseen]]:
    """Do what `to_matrix` does and return the texts that were taken as missing as well.

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


def _without_texts(
    contract: Contract, rows: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[Mapping[str, Any]], list[Unseen]]:
    """Put codes in the place of texts, and null in that of texts which no category has.

    Spaces around a text mean nothing, as in a table.
    """
    codes = {f.name: f.codes for f in contract.features if f.type == "category"}
    if not codes:
        return rows, []
    unseen = [
        Unseen(i, name, row[name])
        for i, row in enumerate(rows)
        for name, known in codes.items()
        if row[name] is not None and row[name].strip() not in known
    ]
    return [
        {**row, **{name: _code(known, row[name]) for name, known in codes.items()}} for row in rows
    ], unseen


def _code(known: Mapping[str, float], text: str | None) -> float | None:
    return None if text is None else known.get(text.strip())


def _shape_violations(
    contract: Contract, index: int, row: Mapping[str, Any], coded: bool
) -> list[Violation]:
    type_error = _number_error if coded else _type_error
    found = []
    for feature in contract.features:
        if feature.name not in row:
            hint = " (null, if it is missing)" if feature.nullable else ""
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
        return f"{format_value(value)} is not text; the categories are {listed(feature.categories)}"
    if feature.unseen == "missing" or value.strip() in feature.codes:
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
