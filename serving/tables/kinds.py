"""The kind of a file by its first bytes, and the CSV within a compressed one."""

import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, cast

Kind = Literal["csv", "gzip", "zip", "excel", "parquet"]

FIRST_BYTES = 512
WORKBOOK = "xl/workbook.xml"

_KINDS: dict[bytes, Kind] = {
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # an empty one
}
_OTHERS = {
    rb"\x80[\x02-\x05]": "a pickle, which is never opened",
    rb"SQLite format 3": "an SQLite database",
    rb"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    rb"ARROW1": "a Feather file",
    rb"\x89HDF": "an HDF5 file",
    rb"%PDF": "a PDF document",
    rb"BZh|\xfd7zXZ|7z\xbc\xaf|\x28\xb5\x2f\xfd": "compressed in a way that is not read here",
    rb'\s*(?:\{\s*["}]|\[\s*[\[{])': "JSON",
    rb"\s*<(?i:!doctype|html|table|\?xml)": "HTML or XML",
}
PICKLES = (".pkl", ".pickle", ".joblib")


class TableError(Exception):
    """A file is no table that is read here; the message says what it is, after its name."""


def kind_of(path: Path) -> Kind:
    """Return a file's kind; raises TableError for one that is none of them."""
    with path.open("rb") as file:
        start = file.read(FIRST_BYTES)
    if path.suffix.lower() in PICKLES:
        raise TableError("is a pickle, which is never opened: save the table as CSV or Parquet")
    for pattern, what in _OTHERS.items():
        if re.match(pattern, start.removeprefix(b"\xef\xbb\xbf")):
            raise TableError(f"is {what}: save the table as CSV, Parquet or .xlsx")
    kind = next((kind for magic, kind in _KINDS.items() if start.startswith(magic)), "csv")
    return "excel" if kind == "zip" and _is_workbook(path) else cast(Kind, kind)


def open_csv(path: Path, file: BinaryIO) -> BinaryIO:
    """Return the CSV of an open file: its own bytes, or those that it has compressed.

    Raises TableError for a .zip of more or less than one file; reading on may raise what
    `reading_compressed` names.
    """
    kind = kind_of(path)
    if kind == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if kind != "zip":
        return file
    with reading_compressed():
        archive = zipfile.ZipFile(file)
        names = [name for name in archive.namelist() if _is_content(name)]
        if len(names) != 1:
            what = ", ".join(names[:5]) or "none"
            raise TableError(f"is a .zip of {len(names)} files ({what}): one is needed")
        return cast(BinaryIO, archive.open(names[0]))


@contextmanager
def reading_compressed() -> Iterator[None]:
    """Raise TableError where compressed bytes are damaged, or need a password."""
    try:
        yield
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise TableError("is damaged: it cannot be decompressed") from error
    except (RuntimeError, NotImplementedError) as error:  # zipfile: a password, another method
        raise TableError(f"cannot be decompressed: {error}") from error


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return WORKBOOK in archive.namelist()
    except zipfile.BadZipFile:
        return False


def _is_content(name: str) -> bool:
    return not name.endswith("/") and not name.startswith("__MACOSX/")
