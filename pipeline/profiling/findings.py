"""Findings in a user's table before there are settings for it, and their report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from pipeline.data.contract import class_value, target_values
from pipeline.data.problems import listed
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
    positive_class: str | int | None  # of two
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
    classes = cells[target].map(class_value)
    counts = Counter(classes)
    chosen, because = _positive(f"{file}, column {target}", counts, values, positive)
    choices = resolve(choices, [name for name in cells.columns if not is_index_name(name)], target)
    labels = np.array([values.index(value) for value in classes], dtype=np.int64)
    found = profile(cells, target, labels, test_size, choices)
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


def _positive(
    name: str, counts: Mapping[str | int, int], values: Sequence[str | int], given: str | None
) -> tuple[str | int | None, str]:
    """Return the positive class of two, and why; of more there is none."""
    if len(values) > 2:
        if given is not None:
            raise PipelineError(f"{name}: has {len(values)} classes, --positive-class is for two")
        return None, ""
    if given is None:
        return positive_class(counts)
    if class_value(given) not in values:
        raise PipelineError(
            f"{name}: no row is {given}; give --positive-class {values[0]} or {values[1]}"
        )
    return class_value(given), "as given"


def checked(found: Found, file: Path, params: Params) -> Found:
    """Read the table as `preprocess` will, and say what keeps it from that, or is to be known."""
    try:
        split = split_source(file, params)
    except PipelineError as error:
        return msgspec.structs.replace(found, problems=tuple(str(error).splitlines()))
    return msgspec.structs.replace(found, notes=(*split.notes, *_too_few(split, params)))


def _shares(found: Found) -> str:
    """Return the rows of each class, the most frequent first where there are several."""
    counts = found.classes.items()
    if len(counts) == 2:
        return ", ".join(f"{count} rows are {value}" for value, count in counts)
    in_order = sorted(counts, key=lambda each: -each[1])
    return listed(
        f"{count} rows are {value} ({count / found.rows:.0%})" for value, count in in_order
    )


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
    predicted = f"one of {len(found.classes)} classes is predicted"
    if found.positive_class is not None:
        predicted = f"{found.positive_class} is the positive class, {found.positive_because}"
    lines = [] if found.read.plain == found.read else [f"{found.file}: {found.read}"]
    lines += [
        f"{found.file}: {found.rows} rows, {len(features)} features ({kinds}), "
        f"{len(ignored)} columns left out",
        f"column {found.target}: {predicted}; {_shares(found)}",
    ]
    lines += [
        f"column {name}: {left.reason}: left out, {LEAK}"
        for name, left in ignored.items()
        if left.leak
    ]
    table = format_table(found.columns, found.rows)
    return "\n".join([*lines, *found.profile.notes, *found.notes, *table])
