"""CSV text -> records, one after the other, each with what is wrong with it.

A record that cannot be read takes nothing with it: the next one is looked for on the line after
the one where it began.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple


class Fault(NamedTuple):
    """A record that cannot be read, with what is wrong in words, and its cells.

    Of what is no CSV it is the line that stands in for the cells.
    """

    detail: str
    cells: list[str]


Record = list[str] | Fault


class Lines(Iterator[str]):
    """The lines of a text that may come in pieces; `more` gives the next one, empty at the end.

    A piece ends where a line ends. `first` is the number of lines of the first piece, `at` the
    number of those that were read, `last` the one that was read last.
    """

    def __init__(self, text: str, more: Callable[[], str] = str) -> None:
        self.text = text  # of the first piece
        self._lines, self._more = _split(text), more
        self.first = len(self._lines)
        self.at = 0

    @property
    def last(self) -> str:
        return self._lines[self.at - 1]

    def __next__(self) -> str:
        if self.at == len(self._lines):
            self._lines += _split(self._more())
            if self.at == len(self._lines):
                raise StopIteration
        self.at += 1
        return self.last

    def skip(self, count: int) -> None:
        """Pass over lines above a header."""
        for _ in range(count):
            next(self, "")

    def rest(self) -> str:
        """Return what is unread of the pieces that came."""
        return "".join(self._lines[self.at :])


def read_records(lines: Lines, separator: str = ",") -> Iterator[Record]:
    """Return the records, of whatever length; pass over empty ones, as the pipeline does.

    A quote may stand behind spaces; in a text without such quotes all spaces are kept.
    """
    spaced = re.search(rf'(?:^|[{re.escape(separator)}]) +"', lines.text, re.MULTILINE) is not None
    start_reader = partial(
        csv.reader, lines, delimiter=separator, skipinitialspace=spaced, strict=True
    )
    reader = start_reader()
    while True:
        start = lines.at
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.at = start + 1
            reader = start_reader()
            yield Fault(f"is not valid CSV: {error}", [lines.last.rstrip("\r\n")])
            continue
        if len(record) == 1 and not record[0]:
            yield record  # a quoted cell without a text, which is no empty line
        elif any(cell and not cell.isspace() for cell in record):
            yield record


def check_length(record: Record, header: Sequence[str]) -> Record:
    """Return the record, or the fault that it is not as long as the header.

    Separators too many at the end of rows, or of the header, are passed over.
    """
    width = len(header)
    if isinstance(record, Fault) or len(record) == width:
        return record
    if not any(cell.strip() for cell in [*record[width:], *header[len(record) :]]):
        return [*record[:width], *[""] * (width - len(record))]
    fields = "1 field" if len(record) == 1 else f"{len(record)} fields"
    return Fault(f"has {fields}, the header has {width}", record)


def _split(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))
