"""Excel's workbooks: the cells of a sheet as text."""

import datetime
from pathlib import Path
from typing import NamedTuple

import python_calamine as calamine

from serving.tables.kinds import TableError


class Sheet(NamedTuple):
    """The cells of a workbook's first sheet that has any, and the names of the others."""

    name: str
    rows: list[list[str]]
    others: tuple[str, ...]


def read_sheet(path: Path) -> Sheet:
    """Read a workbook; raises TableError for one that is damaged, locked or empty."""
    try:
        with calamine.load_workbook(path) as workbook:
            names = [
                sheet.name
                for sheet in workbook.sheets_metadata
                if sheet.typ == calamine.SheetTypeEnum.WorkSheet
                and sheet.visible == calamine.SheetVisibleEnum.Visible
            ]
            for name in names:
                rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
                if rows:
                    others = tuple(other for other in names if other != name)
                    return Sheet(name, [list(map(to_text, row)) for row in rows], others)
    except calamine.PasswordError as error:
        raise TableError("is a workbook with a password: save it without one") from error
    except (calamine.CalamineError, OSError) as error:
        raise TableError(f"is no Excel workbook, or a damaged one: {error}") from error
    raise TableError("is a workbook without a cell in any sheet")


def to_text(value: object) -> str:
    """Return a cell as a CSV file has it: a number in full, a date as ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return str(value)
