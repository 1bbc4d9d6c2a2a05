"""How a table is written: what stands between its bytes and its cells."""

import codecs
import sys
from typing import Annotated, Any, Literal

import msgspec

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

# A setting is finite: `nan` is a word for missing anyway.
Number = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]


class Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a table is written; the default is plain CSV: commas, decimal points, UTF-8.

    `decimal` may be both, where a table that is read may have either. `skip` is the number of lines
    above the header; `na_values` are further cells that mean missing, in any column.
    """

    separator: str = ","
    decimal: Literal[".", ",", ".,"] = "."
    encoding: str = "utf-8"
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    na_values: tuple[Number | str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.separator) != 1 or self.separator in "\"'\r\n .":
            raise ValueError(f"separator must be one character such as ';', not {self.separator!r}")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ValueError(f"no encoding is called {self.encoding!r}: cp1252 is one") from None

    def __str__(self) -> str:
        """Return what differs from plain CSV, as a sentence has it."""
        name = SEPARATORS.get(self.separator, repr(self.separator))
        parts = [f"separated by {name}"] if self.separator != "," else []
        parts += ["with decimal commas"] if self.decimal == "," else []
        parts += [f"in {self.encoding}"] if self.encoding != "utf-8" else []
        lines = "1 line" if self.skip == 1 else f"{self.skip} lines"
        parts += [f"with {lines} above the header"] if self.skip else []
        return ", ".join(parts) or "plain CSV"

    def to_builtins(self) -> dict[str, Any]:
        """Return what differs from plain CSV, as JSON and YAML have it."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return {key: value for key, value in document.items() if value != getattr(PLAIN, key)}

    @property
    def plain(self) -> "Read":
        """Return plain CSV with the same words for missing."""
        return Read(na_values=self.na_values)


PLAIN = Read()


def of_typed_cells(read: Read) -> Read:
    """Return how texts are written among the typed cells of Excel and Parquet.

    Numbers that are numbers there have points, whatever the model's own table has.
    """
    return Read(decimal=".," if "," in read.decimal else ".", na_values=read.na_values)


def formats_of(read: Read) -> tuple[Read, ...]:
    """Return how a table for a model may be written: as plain CSV, or as the model's own."""
    if read.plain == read:
        return (read,)
    if msgspec.structs.replace(read, decimal=".") == read.plain:
        # No header tells the two apart: then each cell does.
        return (msgspec.structs.replace(read, decimal=".,"),)
    return read.plain, read
