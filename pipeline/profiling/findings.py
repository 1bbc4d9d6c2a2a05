"""Findings in a user's table before there are settings for it, and their report."""

from collections import Counter
from pathlib import Path

import msgspec

from pipeline.data.contract import check_two, class_value, target_values
from pipeline.data.source import check_index, plain_cells, read_rows
from pipeline.data.source_split import Split, check_counts, split_source
from pipeline.data.table_file import find_read
from pipeline.errors import PipelineError
from pipeline.params import Params, is_index_name
from pipeline.profiling.choices import NO_CHOICES, Choices, resolve
from pipeline.profiling.column_table import ColumnSummary, format_table, summarize
from pipeline.profiling.positive_class import positive_class
from pipeline.profiling.table_profile import Profile, profile
from serving.model.reading import PLAIN, Read

# Left out is the safer mistake: kept, it passes every gate, and fails where nobody looks.
LEAK = (
    "since such a column is often known only after the target; "
    "move it to data.features where it is known before"
)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of a table; `problems` are those that keep the pipeline from reading it."""

    file: str
    rows: int
    target: str
    classes: dict[str, int]
    positive_class: str | int
    positive_because: str
    profile: Profile
    columns: tuple[ColumnSummary, ...] = ()
    read: Read = PLAIN
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def profile_file(
    file: Path,
    target: str,
    positive: str | None,
    test_size: float = 0.2,
    na_values: tuple[float | str, ...] = (),
    choices: Choices = NO_CHOICES,
) -> Found:
    """Read a table and find out how it is written, what its columns are, and how to split it."""
    read = find_read(file, na_values)
    cells = plain_cells(read_rows(file, read, target).cells, read).reset_index(drop=True)
    if target not in cells.columns:
        raise PipelineError(
            f"{file}: has no column {target}; give --target one of {', '.join(cells.columns)}"
        )
    for place, name in enumerate(cells.columns):
        if is_index_name(name):
            check_index(file, cells.iloc[:, place], place)
    values = target_values(file, cells[target])
    check_two(file, target, values)
    classes = cells[target].map(class_value)
    counts = Counter(classes)
    chosen, because = (
        positive_class(counts) if positive is None else (class_value(positive), "as given")
    )
    if chosen not in values:
        raise PipelineError(
            f"{file}, column {target}: no row is {chosen}; "
            f"give --positive-class {values[0]} or {values[1]}"
        )
    choices = resolve(choices, [name for name in cells.columns if not is_index_name(name)], target)
    found = profile(cells, target, (classes == chosen).to_numpy(dtype=bool), test_size, choices)
    if not found.features:
        reasons = "; ".join(f"{name} {left.reason}" for name, left in found.ignored.items())
        raise PipelineError(f"{file}: no column is left as a feature: {reasons or 'there is none'}")
    return Found(
        file=str(file),
        rows=len(cells),
        target=target,
        classes={str(value): counts[value] for value in values},
        positive_class=chosen,
        positive_because=because,
        profile=found,
        columns=tuple(summarize(found)),
        read=read,
    )


def checked(found: Found, file: Path, params: Params) -> Found:
    """Read the table as `preprocess` will, and say what keeps it from that, or is to be known."""
    try:
        split = split_source(file, params)
    except PipelineError as error:
        return msgspec.structs.replace(found, problems=tuple(str(error).splitlines()))
    return msgspec.structs.replace(found, notes=(*split.notes, *_too_few(split, params)))


def _too_few(split: Split, params: Params) -> list[str]:
    try:
        check_counts(split, params)
    except PipelineError as error:
        return [str(error)]
    return []


def format_profile(found: Found) -> str:
    """Format the findings and their reasons for people."""
    features, ignored = found.profile.features, found.profile.ignored
    types = Counter(column.type for column in features.values())
    kinds = ", ".join(f"{count} {kind}" for kind, count in types.items())
    classes = ", ".join(f"{count} rows are {value}" for value, count in found.classes.items())
    lines = [] if found.read.plain == found.read else [f"{found.file}: {found.read}"]
    lines += [
        f"{found.file}: {found.rows} rows, {len(features)} features ({kinds}), "
        f"{len(ignored)} columns left out",
        f"column {found.target}: {found.positive_class} is the positive class, "
        f"{found.positive_because}; {classes}",
    ]
    lines += [
        f"column {name}: {left.reason}: left out, {LEAK}"
        for name, left in ignored.items()
        if left.leak
    ]
    table = format_table(found.columns, found.rows)
    return "\n".join([*lines, *found.profile.notes, *found.notes, *table])
