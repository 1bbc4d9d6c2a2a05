"""Write the section `data` of params.yaml for another table.

The table is looked at, and `name` is written, too. The rest of params.yaml stays as it is. Whatever
is found is told, with the reason, and is to be checked: a table's numbers do not say what they
mean. Units, descriptions and limits are left to fill in; they are kept where the same file is
looked at again.
"""

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from pipeline.errors import PipelineError
from pipeline.files import json_text, write_whole
from pipeline.options import path_option
from pipeline.params import MIN_CATEGORY_ROWS, NO_FILE, Params
from pipeline.params_file import document_of, parse, read_text
from pipeline.profiling.choices import Choices
from pipeline.profiling.findings import Found, checked, format_profile, profile_file
from pipeline.profiling.params_section import data_section, replaced, with_name
from pipeline.training.choice import explain
from serving.model.reading import Read

EXAMPLES = """\b
Examples:
  python -m pipeline init data/churn.csv --target Churn
  python -m pipeline init data/churn.csv --target Churn --positive-class Yes --dry-run
  python -m pipeline init data/churn.csv --target Churn --ignore notes,agent --category zip
"""


DEFAULT_TEST_SIZE = 0.2

# Bounds that depend on the table: a Brier score of 0.20 is good for one, and bad for another.
RELATIVE_BOUNDS = ("min_roc_auc", "max_brier", "max_calibration_error")

# What the model card says is of the table before; its own defaults admit that nothing is known.
NO_WORDS = "card: {} # what the model card is to say: intended_use, limits, license, contact"


def _name_of(file: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", file.stem).strip("-._") or "model"


def place_of(file: Path, project: Path) -> str:
    """Return the path for data.file: from the project's folder, or absolute where it is elsewhere.

    An experiment of DVC runs in a folder of its own, from which `../table.csv` leads nowhere.
    """
    absolute, folder = file.parent.resolve() / file.name, project.resolve()
    inside = absolute.is_relative_to(folder)
    return (absolute.relative_to(folder) if inside else absolute).as_posix()


def _refuse_output(place: str, project: Path) -> None:
    """Raise for a table that stands where the pipeline writes one of its own."""
    wiring = project / "dvc.yaml"
    stages = document_of(read_text(wiring), wiring)["stages"] if wiring.is_file() else {}
    if place in [out for stage in stages.values() for out in stage.get("outs", ())]:
        raise PipelineError(f"{place} is where the pipeline writes: give the table another name")


class Settings(NamedTuple):
    """The text of params.yaml for a table, and what of it is new."""

    text: str
    new: str


def settings_for(found: Found, params: Path, name: str | None) -> Settings:
    """Write the table's sections into the text of params.yaml.

    What is said elsewhere of columns that this table does not have, and of another table, is
    taken out.
    """
    text = read_text(params)
    document = document_of(text, params, "rt")
    try:
        places = {key: document.lc.key(key)[0] for key in document}
        places |= {
            f"evaluate.{key}": document["evaluate"].lc.key(key)[0] for key in document["evaluate"]
        }
        old_name, old = document["name"], document["data"]
    except (AttributeError, KeyError, TypeError) as error:
        raise PipelineError(f"{params} has no name and no section data to replace") from error
    file = place_of(Path(found.file), params.parent)
    _refuse_output(file, params.parent)
    again = isinstance(old, dict) and old.get("file") == file
    name = name or (str(old_name) if again else _name_of(Path(found.file)))
    new = {
        "name": with_name(text.split("\n")[places["name"]], name),
        "data": data_section(
            file,
            found.target,
            found.positive_class,
            found.profile,
            (old.get("features") or {}) if again else {},
            str(old.get("test_file") or NO_FILE) if again else NO_FILE,
            (old.get("min_category_rows") if again else None) or MIN_CATEGORY_ROWS,
            found.read,
            (old.get("class_names") if again and old.get("target") == found.target else None) or {},
        ),
    }
    section = "\n".join(new.values())
    if {*(document["evaluate"].get("subgroups") or {})} - {*found.profile.features}:
        new["evaluate.subgroups"] = "  subgroups: {}"
    if "card" in document and not again:
        new["card"] = NO_WORDS
    if not again:
        text = _without_bounds(text, document)
    return Settings(replaced(text, places, new), section)


def _without_bounds(text: str, document: Any) -> str:
    """Set the bounds that were another table's to nothing: they then follow from this one."""
    lines = text.split("\n")
    gates: Any = (document.get("register") or {}).get("gates") or {}
    for name in RELATIVE_BOUNDS:
        if gates.get(name) is not None and (line := gates.lc.key(name)[0]) < len(lines):
            indent = lines[line][: gates.lc.key(name)[1]]
            if lines[line].startswith(f"{indent}{name}:"):
                lines[line] = f"{indent}{name}: # empty: follows from the table"
    return "\n".join(lines)


def _na_values(file: Path, params: Path) -> tuple[float | str, ...]:
    """Return the words for missing that people gave for this file."""
    try:
        data = document_of(read_text(params), params)["data"]
        again = data["file"] == place_of(file, params.parent)
        return msgspec.convert(data["read"], Read).na_values if again else ()
    except (KeyError, TypeError, ValueError):
        return ()


def with_way(found: Found, params: Params) -> Found:
    """Return the findings with a note on how a large table will be searched."""
    share = 1.0 if params.data.has_test_file else 1 - params.preprocess.test_size
    columns = sum(len(column.categories) or 1 for column in found.profile.features.values())
    rows, n_classes = round(share * found.rows), len(found.classes)
    way = explain(params.grid_search, rows, columns, n_classes)
    return msgspec.structs.replace(found, notes=(*found.notes, *filter(None, [way])))


def _test_size(params: Path) -> float:
    """Return preprocess.test_size; what is wrong in the file is told once its text is new."""
    try:
        return float(document_of(read_text(params), params)["preprocess"]["test_size"])
    except (KeyError, TypeError, ValueError):
        return DEFAULT_TEST_SIZE


@click.command(help=__doc__, epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option(
    "--positive-class",
    "positive",
    metavar="VALUE",
    help="The target's value whose probability is predicted.  "
    "[default: the one that says yes, such as 1; else the rarer]",
)
@click.option("--ignore", multiple=True, metavar="A,B", help="Columns to leave out.")
@click.option("--category", multiple=True, metavar="A,B", help="Columns of categories.")
@click.option("--number", multiple=True, metavar="A,B", help="Columns of numbers.")
@click.option("--date", multiple=True, metavar="A,B", help="Dates whose parts are features.")
@click.option("--group", metavar="COLUMN", help="Its rows stay on one side: data.group.")
@click.option("--time", metavar="COLUMN", help="Its latest rows are for the test: data.time.")
@click.option("--name", help="Of experiment and model.  [default: from the file's name]")
@path_option("--params", default="params.yaml")
@click.option("--dry-run", is_flag=True, help="Print what would be written; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(
    file: Path,
    target: str,
    positive: str | None,
    name: str | None,
    params: Path,
    dry_run: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    if not file.is_file():
        raise PipelineError(f"{file} is no file")
    found = profile_file(
        file,
        target.strip(),
        positive,
        _test_size(params),
        _na_values(file, params),
        Choices(**choices),
    )
    settings = settings_for(found, params, name)
    read = parse(settings.text, params)
    found = with_way(checked(found, file, read), read)
    if not dry_run:  # first of all: a reader such as `head` may end it while it prints
        write_whole(params, settings.text.encode())
    print(format_profile(found), file=sys.stderr)
    if not dry_run:
        print(f"{params}: name and data are written", file=sys.stderr)
    if as_json:
        print(json_text(found), end="")
    elif dry_run:
        print(settings.new)
    if found.problems:
        problems = "\n".join(found.problems)
        raise PipelineError(f"these cells are to be corrected before `dvc repro`:\n{problems}")
    if not dry_run:
        print("fill in units, descriptions and limits there, then type: dvc repro", file=sys.stderr)
