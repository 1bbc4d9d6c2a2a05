"""The section `data` of params.yaml as text, and its place in the file. Pure: text in, text out.

All that stands outside the sections that are replaced stays as it is, to the byte.
"""

import io
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

from pipeline.params import MIN_CATEGORY_ROWS, NO_FILE
from pipeline.profiling.column import Column
from pipeline.profiling.split_advice import SplitAdvice
from pipeline.profiling.table_profile import Profile
from serving.model.reading import PLAIN, Read

# YAML 1.1, which some tools still read, takes these for booleans.
AMBIGUOUS = ("y", "n", "yes", "no", "on", "off")
COMMENTS = {
    "positive_class": "the value of `target` whose probability is predicted",
    "read": "how it is written, if not as plain CSV: separator, decimal, encoding, skip, na_values",
    "row_numbers": "columns that only number the rows: they do not say on which side one is",
    "repeats": "equal rows: on one side (together), or each by itself (apart)",
    "group": "a column such as patient_id: the rows of one group stay on one side",
    "time": "a column of ISO dates or numbers: from test_from on, rows are for the test",
    "test_from": "such as '2024-03-01', with quotes",
    "min_category_rows": "categories with fewer training rows are grouped as one",
    "test_file": f"a file with the test rows: all of `file` is for training; {NO_FILE} is none",
}
FILLED_IN = ("unit", "description")
EXPLANATION = """\
Each feature: type (number, integer, boolean, category or date), unit, description,
  categories      the texts that a category may be; another one is refused,
  unseen          or treated as missing with "unseen: missing", or as one more with "unseen: other"
  missing_values  values that mean "missing" in the table
  number_format   how the table writes numbers: prefix, suffix, decimal, thousands
  date_format     how the table writes a date, and the parts that the model takes
  nullable        may a value be absent (default: yes where missing_values are given)
  limits          [lowest, highest] that can be true at all; beyond them a row is refused.
                  Statistics do not know them: fill in those that you know"""


def data_section(
    file: str,
    target: str,
    positive: str | int,
    found: Profile,
    filled_in: Mapping[str, Any],
    test_file: str = NO_FILE,
    min_category_rows: int = MIN_CATEGORY_ROWS,
    read: Read = PLAIN,
) -> str:
    """Write the section; `filled_in` are features with what people wrote of them before."""
    data = CommentedMap(
        file=_text(file),
        read=_read(read),
        target=_text(target),
        positive_class={"True": True, "False": False}.get(str(positive), _text(positive)),
        ignore=_ignored(found),
        **_split_settings(found.split),
        test_file=_text(test_file),
        min_category_rows=min_category_rows,
        features=CommentedMap(
            {
                _text(name): _feature(column, filled_in.get(name) or {})
                for name, column in found.features.items()
            }
        ),
    )
    for key, comment in COMMENTS.items():
        _remark(data, key, comment)
    data.yaml_set_comment_before_after_key("features", before=EXPLANATION, indent=2)
    return _dumped({"data": data})


def _read(read: Read) -> CommentedMap:
    """Return what differs from plain CSV, on one line."""
    settings = CommentedMap(read.to_builtins())
    if "na_values" in settings:
        settings["na_values"] = _flow(read.na_values)
    for key in {"separator", "decimal"} & {*settings}:
        settings[key] = _separator(settings[key])
    settings.fa.set_flow_style()
    return settings


def _separator(text: str) -> Any:
    # A tab is no character to be seen in quotes.
    return DoubleQuotedScalarString(text) if text == "\t" else SingleQuotedScalarString(text)


def _split_settings(split: SplitAdvice) -> dict[str, Any]:
    return {
        "row_numbers": _flow(split.row_numbers),
        "repeats": split.repeats,
        "group": None if split.group is None else _text(split.group),
        "time": None if split.time is None else _text(split.time),
        "test_from": None if split.test_from is None else _text(split.test_from),
    }


def _ignored(found: Profile) -> CommentedSeq:
    """List the columns that are left out, each with the reason."""
    ignored = CommentedSeq(_text(name) for name in found.ignored)
    for place, left in enumerate(found.ignored.values()):
        _remark(ignored, place, left.reason)
    return ignored


def _feature(column: Column, filled_in: Mapping[str, Any]) -> CommentedMap:
    feature = CommentedMap(type=column.type, unit=column.unit, description="")
    of_its_type = {"category": "unseen", "date": "parts"}.get(column.type, "limits")
    kept = (*FILLED_IN, of_its_type)
    feature.update({key: filled_in[key] for key in kept if key in filled_in})
    if column.date_format:
        feature["date_format"] = _text(column.date_format)
        feature.setdefault("parts", _flow(column.parts))
    if column.number_format is not None:
        feature["number_format"] = _flow_map(msgspec.to_builtins(column.number_format))
    if column.unseen != "refuse":
        feature.setdefault("unseen", column.unseen)
    if column.categories:
        feature["categories"] = _flow(column.categories)
    if column.missing_values:
        feature["missing_values"] = _flow(column.missing_values)
        because = f"{column.missing_because}: check that this means missing"
        _remark(feature, "missing_values", because)
    if column.nullable:
        feature["nullable"] = True
    return feature


def _flow(values: Iterable[float | str]) -> CommentedSeq:
    sequence = CommentedSeq(_text(value) for value in values)
    sequence.fa.set_flow_style()
    return sequence


def _flow_map(entries: Mapping[str, str]) -> CommentedMap:
    found = CommentedMap({key: SingleQuotedScalarString(text) for key, text in entries.items()})
    found.fa.set_flow_style()
    return found


def _text(value: float | str) -> Any:
    """Quote a text that YAML 1.1 or 1.2 might not read as one; write 0.0 as 0."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, str) and (value.lower() in AMBIGUOUS or not value[:1].isalpha()):
        return SingleQuotedScalarString(value)
    return value


def _remark(entries: CommentedMap | CommentedSeq, key: str | int, comment: str) -> None:
    # A column of 0 is one space after the value.
    entries.yaml_add_eol_comment("# " + " ".join(comment.split()), key, column=0)


class _Representer(RoundTripRepresenter):
    """Writes null as nothing, as DVC does: its first experiment then changes one line."""


_Representer.add_representer(
    type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "")
)


def _dumped(document: Mapping[str, Any]) -> str:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = 10**6
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(CommentedMap(document), text)
    return text.getvalue().rstrip("\n")


def with_name(line: str, name: str) -> str:
    """Return the line of `name`, with its comment, for another name."""
    _, separator, comment = line.partition(" #")
    return _dumped({"name": _text(name)}) + separator + comment


def replaced(text: str, places: Mapping[str, int], new: Mapping[str, str]) -> str:
    """Put sections into a document, of whose keys `places` says the lines, from 0.

    Comments at the margin before the next section belong to that one.
    """
    lines = text.split("\n")
    for key in sorted(new, key=lambda key: places[key], reverse=True):
        start = places[key]
        end = min((place for place in places.values() if place > start), default=len(lines))
        while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
            end -= 1
        lines[start:end] = [new[key]]
    return "\n".join(lines)
