"""CSV tables: text -> rows as the contract takes them, and the same table back with its answers.

What is read as missing, as a number and as a boolean is what the pipeline reads so in its own
table, and rows are counted from 1 after the header, as there.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from serving.answer import Scored
from serving.contract import Contract, Feature
from serving.errors import (
    FieldError,
    InvalidBodyError,
    MalformedBodyError,
    TooLargeError,
    pointer,
)

ABSENT = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})
BOOLEANS = {"true": True, "false": False}
SEPARATORS = {";": "semicolons", "\t": "tabs"}
ANSWERS = ("label", "probability", "warnings")
# Narrower than `float`, which takes nan, infinity, 1_000 and digits of other scripts.
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

Cell = float | bool | str | None


class Table(NamedTuple):
    """A table's cells as they were written; each record is as long as the header."""

    header: list[str]
    records: list[list[str]]
    newline: str


def read_table(contract: Contract, body: bytes, most: int) -> Table:
    """Read a table that has a column for each feature, and whatever others.

    Raises MalformedBodyError (400) for what is no CSV table, InvalidBodyError (422) for one without
    the contract's columns, and TooLargeError (413) for one of more than `most` rows.
    """
    text = _decode(body)
    lines = _lines(text)
    header = next(lines, None)
    if header is None:
        raise MalformedBodyError("The body is empty: it needs a header and rows.")
    _check_header(contract, header)
    records: list[list[str]] = []
    for number, record in enumerate(lines, start=1):
        if number > most:
            raise TooLargeError(f"The body has more than {most} rows, the most taken at once.")
        if len(record) != len(header):
            detail = f"has {_counted(len(record), 'field')}, the header has {len(header)}"
            raise MalformedBodyError(
                f"Row {number} {detail}.", [FieldError(pointer(["rows", number - 1]), detail)]
            )
        records.append(record)
    # A lone \r in a cell is quoted only where \r belongs to the newline.
    return Table(header, records, "\r\n" if "\r" in text else "\n")


def to_rows(contract: Contract, table: Table) -> list[dict[str, Cell]]:
    """Make rows for `contract.to_matrix`; what is no number is left to it to refuse."""
    names = [name.strip() for name in table.header]
    places = [(feature, names.index(feature.name)) for feature in contract.features]
    return [{f.name: _cell(f, record[place]) for f, place in places} for record in table.records]


def answer_columns(contract: Contract, table: Table) -> list[str]:
    """Name the columns that answers stand in; a feature of such a name gives all of them a prefix.

    Raises InvalidBodyError where the table has such a column already, so that no name stands twice.
    """
    taken = any(name in contract.names for name in ANSWERS)
    columns = [f"predicted_{name}" if taken else name for name in ANSWERS]
    present = {name.strip() for name in table.header}
    for name in columns:
        if name in present:
            raise _refused(
                name, f"The table has a column {name}, which the answer adds: leave it out."
            )
    return columns


def to_csv(table: Table, columns: list[str], scored: Scored) -> bytes:
    """Write the table, cell for cell as it came, with the answers in `columns` behind it.

    A probability is written as the shortest text that reads back as the same float64.
    """
    answers = zip(
        scored.labels,
        map(repr, scored.probabilities),
        map("; ".join, scored.warnings),
        strict=True,
    )
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=table.newline)
    writer.writerow([*table.header, *columns])
    writer.writerows(map(chain, table.records, answers))
    return out.getvalue().encode()


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise MalformedBodyError(
            f"The body is not UTF-8 (byte {byte:#04x}): save the table as CSV UTF-8."
        ) from error


def _lines(text: str) -> Iterator[list[str]]:
    """Give the header and the rows; pass over empty lines, as the pipeline does."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    count = 0
    try:
        for line in reader:
            if line and (len(line) > 1 or not line[0].isspace()):
                yield line
                count += 1
    except csv.Error as error:
        where = f"row {count}" if count else "the header"
        raise MalformedBodyError(f"The body is not valid CSV, in {where}: {error}.") from error


def _check_header(contract: Contract, header: list[str]) -> None:
    names = [name.strip() for name in header]
    missing = [name for name in contract.names if name not in names]
    for separator, word in SEPARATORS.items():
        if missing and len(header) == 1 and separator in header[0]:
            raise MalformedBodyError(f"The table is separated by {word}: commas are needed.")
    seen: set[str] = set()
    for name in filter(None, names):
        if name in seen:
            raise _refused(name, f"The column {name[:80]} stands in the header twice.")
        seen.add(name)
    if missing:
        word = "column" if len(missing) == 1 else "columns"
        detail = f"The table lacks the {word} {', '.join(missing)}."
        raise InvalidBodyError(detail, [FieldError(pointer([m]), "is missing") for m in missing])


def _cell(feature: Feature, text: str) -> Cell:
    text = text.strip()
    if text in ABSENT:
        return None
    if feature.type == "boolean" and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    return float(text) if NUMBER.fullmatch(text) else text


def _refused(column: str, detail: str) -> InvalidBodyError:
    return InvalidBodyError(detail, [FieldError(pointer([column]), detail)])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
