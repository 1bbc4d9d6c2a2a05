"""Find out how a CSV table is written: its separator, decimals, encoding and first line."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Literal

import msgspec
from charset_normalizer import from_bytes

from serving.model.cells import DECIMAL_COMMA, is_mark, read_number
from serving.model.reading import SEPARATORS, Read

SAMPLE_LINES = 1000
SAMPLE_BYTES = 2**16  # of lines that are not ASCII
FITS = 0.9  # the share of the records that are of the usual length
MOST_ABOVE = 30  # lines above the header

# Without a choice, short texts are taken for those of DOS or of the Mac.
ENCODINGS = (
    *("utf_16", "utf_16_le", "utf_16_be", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254"),
    *("shift_jis", "gb18030", "big5", "euc_kr"),
)
USUAL_ENCODING = "cp1252"
BOMS = (b"\xff\xfe", b"\xfe\xff")

_STATED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+")  # 1,234 may be a thousand and more

Record = list[str]


def find_encoding(lines: Iterable[bytes]) -> str:
    """Return the encoding of a file's lines; charset-normalizer finds one that is not UTF-8."""
    sample, is_utf8 = b"", True
    for number, line in enumerate(lines):
        if number == 0 and (line.startswith(BOMS) or b"\0" in line):
            return "utf-16" if line.startswith(BOMS) else _guess(line)
        if not line.isascii():
            is_utf8 = is_utf8 and _is_utf8(line)
            sample += line if len(sample) < SAMPLE_BYTES else b""
    return "utf-8" if is_utf8 else _guess(sample)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _guess(sample: bytes) -> str:
    matches = list(from_bytes(sample, cp_isolation=list(ENCODINGS)))
    if not matches:
        return USUAL_ENCODING
    # Of those that fit equally well: Windows' encoding of Western Europe.
    best = [
        m for m in matches if (m.chaos, m.coherence) == (matches[0].chaos, matches[0].coherence)
    ]
    if any(USUAL_ENCODING in match.could_be_from_charset for match in best):
        return USUAL_ENCODING
    return best[0].encoding.replace("_", "-") if "utf" in best[0].encoding else best[0].encoding


def find_layout(lines: Sequence[str], read: Read) -> Read:
    """Return `read` with the separator, the decimals and the header's line of a table's lines."""
    lines = lines[:SAMPLE_LINES]
    separator = _separator(lines)
    places = _records(lines, separator)
    skip = lines_above([record for _, record in places], lines_of=[line for line, _ in places])
    read = msgspec.structs.replace(read, separator=separator, skip=skip)
    rows = [record for line, record in places if line > skip]
    return msgspec.structs.replace(read, decimal=find_decimal(rows))


def _separator(lines: Sequence[str]) -> str:
    """Return the separator: as stated, or the one that csv.Sniffer finds, if it makes a table."""
    if lines and (stated := _STATED.fullmatch(lines[0])):
        return stated[1]
    fits = {separator: _fit(lines, separator) for separator in SEPARATORS}
    whole = [separator for separator, share in fits.items() if share == 1]
    if len(whole) == 1:
        return whole[0]
    likely = whole or [separator for separator, share in fits.items() if share >= FITS]
    try:
        sniffed = csv.Sniffer().sniff("".join(lines), "".join(SEPARATORS)).delimiter
    except csv.Error:
        sniffed = ","
    return sniffed if sniffed in likely or not likely else max(likely, key=lambda s: fits[s])


def _fit(lines: Sequence[str], separator: str) -> float:
    """Return the share of records of the usual length, if that is two fields or more."""
    widths = [len(record) for _, record in _records(lines, separator)]
    width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
    return count / len(widths) if width > 1 else 0.0


def _records(lines: Sequence[str], separator: str) -> list[tuple[int, Record]]:
    """Return the records that are not blank, each with the number of its first line, from 0."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    found, start = [], 0
    try:
        for record in reader:
            if len(record) > 1 or "".join(record).strip():
                found.append((start, record))
            start = reader.line_num
    except csv.Error:
        return []
    return found


def lines_above(records: Sequence[Record], lines_of: Sequence[int] | None = None) -> int:
    """Return the number of lines above the header: of titles, comments and `sep=;`.

    `lines_of` has the line of each record, where that is not its place.
    """
    width = Counter(map(len, records)).most_common(1)[0][0] if records else 0
    for place, record in enumerate(records[:MOST_ABOVE]):
        if not _is_above(record, width):
            # A first row of data is no header either: then nothing is known.
            header = 2 * sum(map(_is_number, record)) < len(record)
            return (lines_of[place] if lines_of else place) if place and header else 0
    return 0


def _is_above(record: Record, width: int) -> bool:
    filled = sum(bool(text.strip()) for text in record)
    is_comment = record[0].startswith("#") and len(record) != width
    return (
        is_comment
        or _STATED.fullmatch(",".join(record)) is not None
        or (width > 1 and (filled <= 1 or len(record) < width - 1))
    )


def find_decimal(rows: Sequence[Record]) -> Literal[".", ","]:
    """Return what stands before the decimals: a comma only where all columns of numbers agree."""
    columns = [[text.strip() for text in column] for column in zip_longest(*rows, fillvalue="")]
    with_comma = any(_has_decimal_commas(column) for column in columns)
    return "," if with_comma and not any(map(_has_decimal_points, columns)) else "."


def _has_decimal_commas(column: list[str]) -> bool:
    present = [text for text in column if not is_mark(text)]
    commas = [text for text in present if DECIMAL_COMMA.fullmatch(text)]
    return any(not _GROUPED.fullmatch(text) for text in commas) and sum(
        map(_is_number, present)
    ) >= FITS * len(present)


def _has_decimal_points(column: list[str]) -> bool:
    present = [text for text in column if not is_mark(text)]
    numbers = [text for text in present if read_number(text) is not None]
    points = [text for text in numbers if "." in text and not _GROUPED.fullmatch(text)]
    return bool(points) and len(numbers) >= FITS * len(present)


def _is_number(text: str) -> bool:
    text = text.strip()
    return read_number(text) is not None or DECIMAL_COMMA.fullmatch(text) is not None
