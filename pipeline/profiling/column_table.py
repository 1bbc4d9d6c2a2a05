"""The closing table of `init`: each column, what was done with it, and why. Pure."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from pipeline.profiling.columns.column import Column
from pipeline.profiling.table_profile import Profile
from serving.model.cells import to_text

SHOWN_IN_FULL = 30  # columns; of more, those of a kind are counted
SHOWN_OF_A_KIND = 3
LONGEST_NAME = 30

Cells = tuple[str, str, str, str, str]


class ColumnSummary(msgspec.Struct, frozen=True):
    """A row of the table; `missing` counts the cells that are absent or mean missing."""

    column: str
    type: str
    missing: int
    done: str
    why: str


def summarize(profile: Profile) -> list[ColumnSummary]:
    """Return a row for each column: features first, then what is left out."""
    rows = [
        ColumnSummary(name, column.type, profile.missing.get(name, 0), _done(column), _why(column))
        for name, column in profile.features.items()
    ]
    roles = {profile.split.group: "data.group", profile.split.time: "data.time"}
    return rows + [
        ColumnSummary(
            *(name, left.type, profile.missing.get(name, 0)),
            *(roles.get(name, "left out"), left.reason),
        )
        for name, left in profile.ignored.items()
    ]


def _done(column: Column) -> str:
    if column.missing_values:
        values = ", ".join(map(to_text, column.missing_values))
        return f"{values} treated as missing"
    return f"{len(column.categories)} categories" if column.categories else "kept"


def _why(column: Column) -> str:
    because = f"{column.missing_because}: please check" if column.missing_because else ""
    return "; ".join(filter(None, (because, column.note)))


def format_table(rows: Sequence[ColumnSummary], table_rows: int) -> list[str]:
    """Format the table as lines; of many columns those of a kind are counted."""
    cells: list[Cells] = [("column", "type", "missing", "done", "why")]
    if len(rows) <= SHOWN_IN_FULL:
        cells += [_cells(row, table_rows) for row in rows]
    else:
        cells += _by_kind(rows, table_rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


def _by_kind(rows: Sequence[ColumnSummary], table_rows: int) -> list[Cells]:
    """Show the first few of each kind, and count the rest."""
    kinds: dict[tuple[str, ...], list[ColumnSummary]] = defaultdict(list)
    for row in rows:
        kinds[_kind(row)].append(row)
    cells: list[Cells] = []
    for kind in kinds.values():
        shown = len(kind) if len(kind) <= SHOWN_OF_A_KIND + 1 else SHOWN_OF_A_KIND
        cells += [_cells(row, table_rows) for row in kind[:shown]]
        cells += [_counted(kind[shown:])] if kind[shown:] else []
    return cells


def _kind(row: ColumnSummary) -> tuple[str, ...]:
    """Return what columns have in common that are counted together."""
    done = "categories" if row.done.endswith(" categories") else row.done
    return (row.type, done, "why" if row.why else "")


def _counted(rest: Sequence[ColumnSummary]) -> Cells:
    most = max(row.missing for row in rest)
    done = "" if len({row.done for row in rest}) > 1 else rest[0].done
    missing = f"{most} at most" if most else ""
    return f"… {len(rest)} more", rest[0].type, missing, done, "as those above"


def _cells(row: ColumnSummary, table_rows: int) -> Cells:
    name = row.column
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 1] + "…"
    missing = f"{row.missing} ({row.missing / table_rows:.1%})" if row.missing else ""
    return " ".join(name.split()), row.type, missing, row.done, row.why
