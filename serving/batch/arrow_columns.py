"""Columns of a table -> the matrix of numbers that a model takes.

Text is read by the rules of `serving.model.cells`: all at once if it is plain numbers and words for
missing, word for word if not.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.model.cells import ABSENT, Cell, read_cell, read_column
from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.reading import PLAIN, Read
from serving.model.rows import Unseen

FloatColumn = npt.NDArray[np.float64]
ABSENT_WORDS = pa.array(sorted(ABSENT))


class Values(NamedTuple):
    """Rows as numbers `[rows, features]`, NaN where one is missing.

    `unread` `[rows]` marks those that have text which is no number, or no category; `unseen` are
    the texts that are no category of their own, taken as missing or as other.
    """

    matrix: FloatMatrix
    unread: npt.NDArray[np.bool_]
    unseen: list[Unseen]


def is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def is_readable(feature: Feature, kind: pa.DataType) -> bool:
    """True if a column of this type can be the feature; a category's texts may be whole numbers."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if feature.type == "category":
        return is_text(kind) or bool(pa.types.is_integer(kind) or pa.types.is_null(kind))
    if feature.type == "date":
        return is_text(kind) or is_moment(kind) or bool(pa.types.is_null(kind))
    return bool(
        is_text(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def to_values(contract: Contract, columns: list[pa.Array], rows: int, read: Read = PLAIN) -> Values:
    """Read the features' columns, decoded, in the contract's order; text as `read` says."""
    matrix = np.empty((rows, len(columns)), dtype=np.float64)
    unread = np.zeros(rows, dtype=np.bool_)
    unseen: list[Unseen] = []
    for place, (feature, column) in enumerate(zip(contract.features, columns, strict=True)):
        is_code = feature.type == "category" and pa.types.is_integer(column.type)
        if not (is_code or is_text(column.type)):
            numbers = _numbers(_days(column) if is_moment(column.type) else column)
            matrix[:, place] = _without_na(numbers, read)
            continue
        text = column.cast(pa.string())
        plain = _plain_numbers(text, read) if _is_plain(feature) else None
        if plain is not None:
            matrix[:, place] = plain
            continue
        matrix[:, place], odd = _read(feature, text, read)
        if feature.unseen != "refuse":
            unseen += _unseen(feature, text, odd, read)
        else:
            unread |= odd
        if feature.grouped:
            rare = ~odd & (matrix[:, place] == len(feature.categories))
            unseen += _unseen(feature, text, rare, read)
    return Values(matrix, unread, unseen)


def _is_plain(feature: Feature) -> bool:
    return feature.type not in ("category", "date") and feature.number_format is None


def cell(feature: Feature, column: pa.Array, row: int, read: Read = PLAIN) -> Cell:
    """Return one cell as `contract.to_matrix` takes it."""
    value = column[row].as_py()
    if value is None:
        return None
    if is_moment(column.type):
        return str(value.strftime(feature.date_format))
    if feature.type == "category":
        return read_cell(feature, str(value), read)
    return read_cell(feature, value, read) if isinstance(value, str) else float(value)


def decoded(column: pa.Array) -> pa.Array:
    """Return a column's own values, where it holds them as places in a dictionary."""
    is_dictionary = pa.types.is_dictionary(column.type)
    return column.dictionary_decode() if is_dictionary else column


def _days(column: pa.Array) -> pa.Array:
    """Return dates and times as days since 1970-01-01."""
    return pc.cast(pc.cast(column, pa.date32(), safe=False), pa.int32())


def _numbers(column: pa.Array) -> FloatColumn:
    # Unsafe: an integer beyond 2^53 becomes the nearest float64, as in JSON.
    numbers = pc.cast(column, pa.float64(), safe=False)
    found: FloatColumn = numbers.to_numpy(zero_copy_only=False)
    return found


def _without_na(numbers: FloatColumn, read: Read) -> FloatColumn:
    """Return numbers with NaN in the place of those that mean missing."""
    missing = [value for value in read.na_values if not isinstance(value, str)]
    return np.where(np.isin(numbers, missing), np.nan, numbers) if missing else numbers


def _plain_numbers(text: pa.Array, read: Read) -> FloatColumn | None:
    """Read a column of plain numbers and words for missing; None where there is anything else."""
    if any(isinstance(value, str) for value in read.na_values):
        return None
    if "," in read.decimal:
        if read.decimal == "," and pc.any(pc.match_substring(text, ".")).as_py():
            return None
        text = pc.replace_substring(text, ",", ".")
    numbers = _cast(text)
    if numbers is None:
        # What is read word for word is stripped first of all: of spaces, this loses nothing.
        text = pc.utf8_trim(text, characters=" \t")
        absent = pc.is_in(text, value_set=ABSENT_WORDS)
        numbers = _cast(pc.if_else(absent, pa.scalar(None, pa.string()), text))
    if numbers is None:
        return None
    # Arrow reads `inf` and `NAN` as numbers; here they are none, or have to be looked at.
    values: FloatColumn = numbers.to_numpy(zero_copy_only=False)
    if np.isfinite(values).sum() + numbers.null_count != len(values):
        return None
    return _without_na(values, read)


def _cast(text: pa.Array) -> pa.Array | None:
    try:
        return pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return None


def _read(
    feature: Feature, text: pa.Array, read: Read
) -> tuple[FloatColumn, npt.NDArray[np.bool_]]:
    """Read every word of a column, once each; return the numbers, and which cells have none."""
    encoded = text.dictionary_encode(null_encoding="encode")
    numbers, unread = read_column(feature, encoded.dictionary.to_pylist(), read)
    places = encoded.indices.to_numpy()
    return numbers[places], unread[places]


def _unseen(
    feature: Feature, text: pa.Array, odd: npt.NDArray[np.bool_], read: Read
) -> list[Unseen]:
    rows = np.flatnonzero(odd).tolist()
    return [Unseen.of(row, feature, str(cell(feature, text, row, read))) for row in rows]
