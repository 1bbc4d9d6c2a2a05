"""CSV tables: text -> rows as the contract takes them, and the same table back with its answers.

What is read as missing, as a number and as a boolean is what the pipeline reads so in its own
table, and rows are counted from 1 after the header, as there.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from serving.errors import FieldError, InvalidBodyError, MalformedBodyError, TooLargeError, pointer
from serving.formats.csv_records import Fault, Lines, Record, check_length, read_records
from serving.model.cells import Cell, read_cell
from serving.model.contract import Contract

SEPARATORS = {";": "semicolons", "\t": "tabs"}
ANSWERS = ("label", "probability", "warnings")


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
    found = read_records(Lines(text))
    header = read_header(contract, next(found, None))
    records: list[list[str]] = []
    for number, record in enumerate(found, start=1):
        if number > most:
            raise TooLargeError(f"The body has more than {most} rows, the most taken at once.")
        checked = check_length(record, len(header))
        if isinstance(checked, Fault):
            detail = checked.detail
            raise MalformedBodyError(
                f"Row {number} {detail}.", [FieldError(pointer(["rows", number - 1]), detail)]
            )
        records.append(checked)
    # A lone \r in a cell is quoted only where \r belongs to the newline.
    return Table(header, records, "\r\n" if "\r" in text else "\n")


def read_header(contract: Contract, record: Record | None) -> list[str]:
    """Check a table's first record; None is that of an empty one.

    Raises MalformedBodyError for what is no header, InvalidBodyError for one that has not all of
    the contract's columns, or one of them twice.
    """
    if record is None:
        raise MalformedBodyError("The table is empty: it needs a header and rows.")
    if isinstance(record, Fault):
        raise MalformedBodyError(f"The header {record.detail}.")
    missing = _missing(contract, record)
    for separator, word in SEPARATORS.items():
        if missing and len(record) == 1 and separator in record[0]:
            raise MalformedBodyError(f"The table is separated by {word}: commas are needed.")
    check_columns(contract, record)
    return record


def check_columns(contract: Contract, header: Sequence[str]) -> None:
    """Raise InvalidBodyError where a column of the contract is missing, or any appears twice."""
    seen: set[str] = set()
    for name in filter(None, (name.strip() for name in header)):
        if name in seen:
            raise _refused(name, f"The column {name[:80]} is in the header twice.")
        seen.add(name)
    missing = _missing(contract, header)
    if missing:
        word = "column" if len(missing) == 1 else "columns"
        detail = f"The table lacks the {word} {', '.join(missing)}."
        raise InvalidBodyError(detail, [FieldError(pointer([m]), "is missing") for m in missing])


def places(contract: Contract, header: Sequence[str]) -> list[int]:
    """Return the place of each feature's column."""
    names = [name.strip() for name in header]
    return [names.index(name) for name in contract.names]


def to_rows(contract: Contract, table: Table) -> list[dict[str, Cell]]:
    """Make rows for `contract.to_matrix`; what is no number is left to it to refuse."""
    columns = list(zip(contract.features, places(contract, table.header), strict=True))
    return [{f.name: read_cell(f, record[i]) for f, i in columns} for record in table.records]


def answer_columns(contract: Contract, header: Sequence[str]) -> list[str]:
    """Name the columns that answers stand in; a feature of such a name gives all of them a prefix.

    Raises InvalidBodyError if the table has such a column already.
    """
    taken = any(name in contract.names for name in ANSWERS)
    columns = [f"predicted_{name}" if taken else name for name in ANSWERS]
    present = {name.strip() for name in header}
    for name in columns:
        if name in present:
            raise _refused(
                name, f"The table has a column {name}, which the answer adds: leave it out."
            )
    return columns


def to_csv(
    table: Table,
    columns: list[str],
    labels: Iterable[int],
    probabilities: Iterable[float],
    warnings: Iterable[Sequence[str]],
) -> bytes:
    """Write the table, cell for cell as it came, with the answers in `columns` behind it.

    A probability is written as the shortest text that reads back as the same float64.
    """
    answers = zip(labels, map(repr, probabilities), map("; ".join, warnings), strict=True)
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


def _missing(contract: Contract, header: Sequence[str]) -> list[str]:
    names = {name.strip() for name in header}
    return [name for name in contract.names if name not in names]


def _refused(column: str, detail: str) -> InvalidBodyError:
    return InvalidBodyError(detail, [FieldError(pointer([column]), detail)])
