"""CSV text -> records, one after the other, each with what is wrong with it.

A record that cannot be read takes nothing with it: the next one is looked for on the line after
the one where it began.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

LONGEST_RECORD = 2**22  # characters, of one that goes over several lines


class Fault(NamedTuple):
    """A record that cannot be read, with what is wrong in words, and its cells.

    Of what is no CSV it is the line that stands in for the cells.
    """

    detail: str
    cells: list[str]


Record = list[str] | Fault


class Lines(Iterator[str]):
    """The lines of a text that may come in pieces; `more` gives the next one, empty at the end.

    A piece ends where a line ends. Kept are the lines from `mark` on, to go back to. `at` is the
    number of lines that were read, `last` the one that was read last.
    """

    def __init__(self, text: str, more: Callable[[], str] = str) -> None:
        self.text = text  # of the first piece
        self.at = 0
        self.last = ""
        self._more = more
        self._piece = io.StringIO(text, newline="")
        self._first: int | None = None  # the number of lines of the first piece, once known
        self._again: deque[str] = deque()
        self._marked: list[str] = []

    @property
    def in_first_piece(self) -> bool:
        """True if the next line is one of the first piece."""
        if self._first is None and self._piece.tell() == len(self.text):
            self._first = self.at + len(self._again)
        return self._first is None or self.at < self._first

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.at += 1
        self.last = line
        self._marked.append(line)
        return line

    def pass_over(self, blank: str) -> None:
        """Pass over lines of these characters only: a spreadsheet may end with a million."""
        again = self._again
        while line := again.popleft() if again else self._piece.readline() or self._read():
            if line.strip(blank):
                again.appendleft(line)
                return
            self.at += 1

    def _read(self) -> str:
        line = self._piece.readline()
        if not line and (text := self._more()):
            _ = self.in_first_piece  # which is known only as long as the piece is there
            self._piece = io.StringIO(text, newline="")
            line = self._piece.readline()
        return line

    def mark(self) -> None:
        """Forget the lines that were read."""
        self._marked.clear()

    def back(self) -> str:
        """Go back to the second line that was read after `mark`, and return the first."""
        first, *others = self._marked
        self._again.extendleft(reversed(others))
        self.at -= len(others)
        return first

    def skip(self, count: int) -> None:
        """Pass over lines above a header."""
        for _ in range(count):
            next(self, "")

    def rest(self) -> str:
        """Return what is unread of the pieces that came."""
        return "".join(self._again) + self._piece.read()


class _RecordLines(Iterator[str]):
    """Lines for a csv.reader, which asks for more than one only within quotes.

    Where reading on within quotes has failed once, it fails from each line between: that is known,
    and not read again. Else a file of open quotes would be read as often as it has lines.
    """

    def __init__(self, lines: Lines, separator: str) -> None:
        self._lines, self._blank = lines, separator + " \t\r\n"
        self._start = self._length = 0
        self._failed_until = 0
        self._error = csv.Error()

    def begin(self) -> None:
        """Begin a record, at a line that may have one."""
        self._lines.pass_over(self._blank)
        self._lines.mark()
        self._start, self._length = self._lines.at, 0

    def fail(self, error: csv.Error) -> str:
        """Go on at the line behind the one where the record began, which is returned."""
        self._failed_until, self._error = max(self._failed_until, self._lines.at), error
        return self._lines.back()

    def __next__(self) -> str:
        if self._start < self._lines.at < self._failed_until:
            raise self._error
        if self._length > LONGEST_RECORD:
            raise csv.Error(f"a quote is not closed within {LONGEST_RECORD} characters")
        line = next(self._lines)
        self._length += len(line)
        return line


def read_records(lines: Lines, separator: str = ",") -> Iterator[Record]:
    """Return the records, of whatever length; pass over empty ones, as the pipeline does.

    A quote may stand behind spaces; in a text without such quotes all spaces are kept.
    """
    quote = re.compile(rf'(?:^|[{re.escape(separator)}]) +"', re.MULTILINE)
    spaced = ' "' in lines.text and quote.search(lines.text) is not None
    source = _RecordLines(lines, separator)
    start_reader = partial(
        csv.reader, source, delimiter=separator, skipinitialspace=spaced, strict=True
    )
    reader = start_reader()
    while True:
        source.begin()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = source.fail(error)
            reader = start_reader()
            yield Fault(f"is not valid CSV: {error}", [line.rstrip("\r\n")])
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
    beyond = chain(islice(record, width, None), islice(header, len(record), None))
    if not any(cell.strip() for cell in beyond):
        return [*record[:width], *[""] * (width - len(record))]
    fields = "1 field" if len(record) == 1 else f"{len(record)} fields"
    return Fault(f"has {fields}, the header has {width}", record)
