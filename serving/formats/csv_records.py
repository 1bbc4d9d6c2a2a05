"""CSV text -> records, one after the other, each with what is wrong with it.

A record that cannot be read takes nothing with it: the next one is looked for on the line after
the one where it began.
"""

import csv
import io
from collections.abc import Callable, Iterator
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

    def rest(self) -> str:
        """Return what is unread of the pieces that came."""
        return "".join(self._lines[self.at :])


def read_records(lines: Lines) -> Iterator[Record]:
    """Return the records, of whatever length; pass over empty lines, as the pipeline does."""
    reader = csv.reader(lines, strict=True)
    while True:
        start = lines.at
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.at = start + 1
            reader = csv.reader(lines, strict=True)
            yield Fault(f"is not valid CSV: {error}", [lines.last.rstrip("\r\n")])
            continue
        if record and (len(record) > 1 or not record[0].isspace()):
            yield record


def check_length(record: Record, width: int) -> Record:
    """Return the record, or the fault that it is not as long as the header."""
    if isinstance(record, Fault) or len(record) == width:
        return record
    fields = "1 field" if len(record) == 1 else f"{len(record)} fields"
    return Fault(f"has {fields}, the header has {width}", record)


def _split(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))
