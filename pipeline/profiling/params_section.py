"""The section `data` of params.yaml as text, and its place in the file. Pure: text in, text out.

All that stands outside the sections that are replaced stays as it is, to the byte. The section is
written as DVC writes it back, so that the first `dvc exp run -S` changes one line: lists as blocks,
quotes only where YAML 1.2 needs them, and no comment in or after a list, where DVC drops it.
"""

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.params import MIN_CATEGORY_ROWS, NO_FILE
from pipeline.profiling.columns.column import Column
from pipeline.profiling.split_advice import SplitAdvice
from pipeline.profiling.table_profile import Profile
from serving.model.reading import PLAIN, Read

COMMENTS = {
    "positive_class": "of two classes the value of `target` whose probability is predicted",
    "class_names": "of all classes, for people, such as {0: healthy, 1: ill}",
    "read": "how it is written, if not as plain CSV: separator, decimal, encoding, skip, na_values",
    "row_numbers": "columns that only number the rows: they do not say on which side one is",
    "repeats": "equal rows: on one side (together), or each by itself (apart)",
    "group": "a column such as patient_id: the rows of one group stay on one side",
    "time": "a column of ISO dates or numbers: from test_from on, rows are for the test",
    "test_from": "such as '2024-03-01', with quotes",
    "min_category_rows": "categories with fewer training rows are grouped as one",
    "test_file": f"a file with the test rows: all of `file` is for training; {NO_FILE} is none",
}
EMPTY: Mapping[Any, str] = MappingProxyType({})
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
    positive: str | int | None,
    found: Profile,
    filled_in: Mapping[str, Any],
    test_file: str = NO_FILE,
    min_category_rows: int = MIN_CATEGORY_ROWS,
    read: Read = PLAIN,
    class_names: Mapping[Any, str] = EMPTY,
) -> str:
    """Write the section; `filled_in` are features with what people wrote of them before."""
    data = CommentedMap(
        file=file,
        read=_flow_map(read.to_builtins()),
        target=target,
        positive_class={"True": True, "False": False}.get(str(positive), positive),
        class_names=_flow_map(class_names),
        ignore=list(found.ignored),
        **_split_settings(found.split),
        test_file=test_file,
        min_category_rows=min_category_rows,
        features=CommentedMap(
            {
                name: _feature(column, filled_in.get(name) or {})
                for name, column in found.features.items()
            }
        ),
    )
    for key, comment in COMMENTS.items():
        _remark(data, key, comment)
    data.yaml_set_comment_before_after_key("features", before=EXPLANATION, indent=2)
    data.yaml_set_comment_before_after_key("ignore", before=_reasons(found), indent=2)
    return _dumped({"data": data})


def _split_settings(split: SplitAdvice) -> dict[str, Any]:
    return {
        "row_numbers": list(split.row_numbers),
        "repeats": split.repeats,
        "group": split.group,
        "time": split.time,
        "test_from": split.test_from,
    }


def _reasons(found: Profile) -> str | None:
    """Return why each column is left out, a line each; none where none is."""
    lines = (f"{_one_line(name)}: {_one_line(left.reason)}" for name, left in found.ignored.items())
    return "\n".join(("Left out:", *(f"  {line}" for line in lines))) if found.ignored else None


def _feature(column: Column, filled_in: Mapping[str, Any]) -> CommentedMap:
    of_its_type = {"category": "unseen", "date": "parts"}.get(column.type, "limits")
    feature = CommentedMap(type=column.type, unit=filled_in.get("unit", column.unit))
    if of_its_type in filled_in:
        feature[of_its_type] = filled_in[of_its_type]
    if column.date_format:
        feature["date_format"] = column.date_format
        feature.setdefault("parts", list(column.parts))
    if column.number_format is not None:
        feature["number_format"] = _flow_map(msgspec.to_builtins(column.number_format))
    if column.unseen != "refuse":
        feature.setdefault("unseen", column.unseen)
    if column.categories:
        feature["categories"] = list(column.categories)
    if column.missing_values:
        feature["missing_values"] = [_number(value) for value in column.missing_values]
        because = f"{column.missing_because}: check that this means missing"
        _remark(feature, "missing_values", because)
    if column.nullable:
        feature["nullable"] = True
    feature["description"] = filled_in.get("description", "")
    return feature


def _flow_map(entries: Mapping[str, Any]) -> CommentedMap:
    found = CommentedMap(entries)
    found.fa.set_flow_style()
    return found


def _number(value: float | str) -> float | str:
    """Write 0.0 as 0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _remark(entries: CommentedMap, key: str, comment: str) -> None:
    # A column of 0 is one space after the value.
    entries.yaml_add_eol_comment("# " + _one_line(comment), key, column=0)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Representer(RoundTripRepresenter):
    """Writes null as nothing, as DVC does: its first experiment then changes one line."""


_Representer.add_representer(
    type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "")
)


def _dumped(document: Mapping[str, Any]) -> str:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    text = io.StringIO()
    yaml.dump(CommentedMap(document), text)
    return text.getvalue().rstrip("\n")


def with_name(line: str, name: str) -> str:
    """Return the line of `name`, with its comment, for another name."""
    _, separator, comment = line.partition(" #")
    return _dumped({"name": name}) + separator + comment


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
