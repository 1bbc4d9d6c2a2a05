"""Read `params.yaml` and say in one sentence what is wrong with it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import PipelineError
from pipeline.files import conflict_line
from pipeline.params import CutPoints, FeatureSpec, Params


def load(path: Path, changes: Sequence[str] = ()) -> Params:
    """Read params.yaml, with `changes` such as `grid_search.grid_size=4` in force.

    Raises PipelineError that names the file and the key for what is not readable, not known,
    or not a value that the key takes.
    """
    return parse(read_text(path), path, changes)


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path} is not valid YAML: {_yaml_problem(error)}") from error


def parse(text: str, path: Path, changes: Sequence[str] = ()) -> Params:
    """Make settings of what stands, or is to stand, in the file."""
    document = document_of(text, path)
    for change in changes:
        _change(document, change)
    try:
        return msgspec.convert(document, Params)
    except msgspec.ValidationError as error:
        message = str(error).replace(" - at `key` in `$.", " as a name: quote it - at `$.")
        what, _, where = message.partition(" - at `$.")
        place = where.rstrip("`") or "the top level"
        if "[...]" in place:
            place = place.replace("[...]", f".{_refused_key(document, place)}")
        if re.search(r"\.categories\[\d+\]$", place):
            what += ": quote it"
        if place == "data.test_from" and "date" in what:  # nor does DVC read one without quotes
            what = "a date needs quotes, such as '2024-03-01'"
        raise PipelineError(f"{path}, {place}: {what}") from error


def document_of(text: str, path: Path, typ: Literal["safe", "rt"] = "safe") -> Any:
    """Read the file's text as YAML; with `rt` the document knows where its keys stand."""
    try:
        return YAML(typ=typ, pure=True).load(text)
    except YAMLError as error:
        if line := conflict_line(text):
            raise PipelineError(
                f"{path} has conflict markers of git at line {line}: keep one side of each "
                f"conflict, then `git add {path}` and `dvc repro`"
            ) from error
        raise PipelineError(f"{path} is not valid YAML: {_yaml_problem(error)}") from error


def _change(document: Any, change: str) -> None:
    """Set one value of the document by its path."""
    key, separator, value = change.partition("=")
    *sections, name = key.strip().split(".")
    if not separator:
        raise PipelineError(f"{change!r} is no setting: write KEY=VALUE")
    try:
        for section in sections:
            document = document[section]
        document[name] = YAML(typ="safe", pure=True).load(value)
    except (KeyError, TypeError, YAMLError) as error:
        raise PipelineError(f"{change!r} names no setting of params.yaml") from error


def _yaml_problem(error: Exception) -> str:
    """Shorten the parser's message to what is wrong and the line."""
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        return f"{error.problem}, in line {error.problem_mark.line + 1}"
    return " ".join(str(error).split())


def _refused_key(document: Any, place: str) -> str:
    """Name the first key of a map whose value is refused, which msgspec does not."""
    if place.startswith("evaluate"):
        kind: Any = CutPoints
        given = document["evaluate"]["subgroups"]
    elif place.startswith("data.class_names"):
        kind, given = str, document["data"]["class_names"]
    else:
        kind = FeatureSpec | None
        given = document["data"]["features"]
    for name, value in given.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return str(name)
    raise AssertionError("msgspec refused a feature that it accepts alone")
