"""CSV tables: text -> rows as the contract takes them, and the same table back with its answers.

What is read as missing, as a number and as a boolean is what the pipeline reads so in its own
table, and rows are counted from 1 after the header, as there.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import NamedTuple

from serving.errors import (
    FieldError,
    InvalidBodyError,
    MalformedBodyError,
    pointer,
    too_many_rows,
)
from serving.formats.csv_records import Fault, Lines, Record, check_length, read_records
from serving.model.cells import Cell, read_cell
from serving.model.contract import Contract
from serving.model.reading import PLAIN, SEPARATORS, Read, formats_of


class Table(NamedTuple):
    """A table's cells as they were written; each record is as long as the header."""

    header: list[str]
    records: list[list[str]]
    newline: str
    read: Read = PLAIN


def read_table(contract: Contract, body: bytes, most: int) -> Table:
    """Read a table that has a column for each feature, and whatever others.

    It may be plain CSV, or written as the table that the model was trained on. Raises
    MalformedBodyError (400) for what is no CSV table, InvalidBodyError (422) for one without the
    contract's columns, and TooLargeError (413) for one of more than `most` rows.
    """
    read = find_format(contract, lambda read: _first_record(_decode(body, read), read))
    text = _decode(body, read)
    found = _records(text, read)
    header = read_header(contract, next(found, None), read)
    records: list[list[str]] = []
    for number, record in enumerate(found, start=1):
        if number > most:
            raise too_many_rows(most)
        checked = check_length(record, header)
        if isinstance(checked, Fault):
            detail = checked.detail
            raise MalformedBodyError(
                f"Row {number} {detail}.", [FieldError(pointer(["rows", number - 1]), detail)]
            )
        records.append(checked)
    # A lone \r in a cell is quoted only where \r belongs to the newline.
    return Table(header, records, "\r\n" if "\r" in text else "\n", read)


def find_format(contract: Contract, first_record: Callable[[Read], Record | None]) -> Read:
    """Return how a table is written: plain CSV if its header then fits, else as the model's own.

    What fits neither is read as plain CSV, to say what is wrong with it. `first_record` reads a
    table's first record in one way or the other; it may raise MalformedBodyError.
    """
    plain, *others = formats_of(contract.table_format)
    for read in (plain, *others):
        with suppress(MalformedBodyError):
            record = first_record(read)
            if isinstance(record, list) and not _missing(contract, record):
                return read
    return plain


def _first_record(text: str, read: Read) -> Record | None:
    return next(_records(text, read), None)


def _records(text: str, read: Read) -> Iterator[Record]:
    lines = Lines(text)
    lines.skip(read.skip)
    return read_records(lines, read.separator)


def read_header(contract: Contract, record: Record | None, read: Read = PLAIN) -> list[str]:
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
        if missing and len(record) == 1 and separator in record[0] and separator != read.separator:
            raise MalformedBodyError(f"The table is separated by {word}: {_needed(contract)}.")
    check_columns(contract, record)
    return record


def _needed(contract: Contract) -> str:
    """Return how a table for a model may be written."""
    own = contract.table_format
    return "commas are needed" if own.plain == own else f"plain CSV is needed, or a table {own}"


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
    read = table.read
    return [{f.name: read_cell(f, record[i], read) for f, i in columns} for record in table.records]


def answer_columns(
    contract: Contract, header: Sequence[str], *, explained: bool = False
) -> list[str]:
    """Name the columns of answers; where the table's own has such a name, all have a prefix.

    Those of explanations are the base, and each feature's contribution.

    Raises InvalidBodyError if the table has such a column already.
    """
    names = ["label", *_probabilities(contract), "warnings"]
    if explained:
        names += ["base", *(f"contribution_{name}" for name in contract.names)]
    taken = not {*names}.isdisjoint([*contract.names, contract.target])
    columns = [f"predicted_{name}" if taken else name for name in names]
    present = {name.strip() for name in header}
    for name in columns:
        if name in present:
            raise _refused(
                name, f"The table has a column {name}, which the answer adds: leave it out."
            )
    return columns


def _probabilities(contract: Contract) -> list[str]:
    if contract.is_binary:
        return ["probability"]
    return [f"probability_{value}" for value in contract.classes]


def to_csv(
    table: Table,
    columns: list[str],
    labels: Iterable[str | int],
    probabilities: Iterable[Iterable[float]],
    warnings: Iterable[Sequence[str]],
    explanations: Iterable[Iterable[float]] = (),
) -> bytes:
    """Write the table, cell for cell as it came, with the answers in `columns` behind it.

    `probabilities` are columns, too: one, or one for each class; so are `explanations`. A number is
    written as the shortest text that reads back as the same float64, with the table's own decimals.
    """
    found, parts = (
        [[decimals_of(table.read, repr(value)) for value in each] for each in columns_of_numbers]
        for columns_of_numbers in (probabilities, explanations)
    )
    answers = zip(labels, *found, map("; ".join, warnings), *parts, strict=True)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=table.newline, delimiter=table.read.separator)
    writer.writerow([*table.header, *columns])
    writer.writerows(map(chain, table.records, answers))
    return out.getvalue().encode()


def decimals_of(read: Read, number: str) -> str:
    """Return a number as a table has it: with a decimal comma only if all its numbers have one."""
    return number.replace(".", ",") if read.decimal == "," else number


def _decode(body: bytes, read: Read) -> str:
    try:
        return body.decode("utf-8-sig" if read.encoding == "utf-8" else read.encoding)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise MalformedBodyError(
            f"The body is not {read.encoding.upper()} (byte {byte:#04x}): "
            "save the table as CSV UTF-8."
        ) from error
    except UnicodeError as error:
        raise MalformedBodyError(f"The body is not {read.encoding.upper()}: {error}.") from error


def _missing(contract: Contract, header: Sequence[str]) -> list[str]:
    names = {name.strip() for name in header}
    return [name for name in contract.names if name not in names]


def _refused(column: str, detail: str) -> InvalidBodyError:
    return InvalidBodyError(detail, [FieldError(pointer([column]), detail)])
