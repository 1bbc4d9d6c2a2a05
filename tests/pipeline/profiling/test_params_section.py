import re

import msgspec
import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.params import FeatureSpec
from pipeline.profiling.columns.column import Column, Left
from pipeline.profiling.params_section import EXPLANATION, data_section, replaced, with_name
from pipeline.profiling.split_advice import SplitAdvice
from pipeline.profiling.table_profile import Profile
from serving.model.contract import NumberFormat
from serving.model.reading import Read


def section(features, ignored=None, filled_in=None):
    found = Profile(features, ignored or {}, ())
    return data_section("data/t.csv", "y", "yes", found, filled_in or {})


def read(text):
    return YAML(typ="safe", pure=True).load(text)["data"]


def test_a_section_says_file_target_classes_and_features():
    assert read(
        section({"a": Column(type="number"), "b": Column(type="boolean", nullable=True)})
    ) == {
        "file": "data/t.csv",
        "target": "y",
        "positive_class": "yes",
        "class_names": {},
        "ignore": [],
        "row_numbers": [],
        "read": {},
        "repeats": "together",
        "group": None,
        "time": None,
        "test_from": None,
        "test_file": "data/none",
        "min_category_rows": 10,
        "features": {
            "a": {"type": "number", "unit": "", "description": ""},
            "b": {"type": "boolean", "unit": "", "description": "", "nullable": True},
        },
    }


def test_rare_categories_take_new_ones_with_them_where_nobody_said_otherwise():
    column = Column(type="category", categories=("a", "b"), unseen="other")
    assert read(section({"c": column}))["features"]["c"]["unseen"] == "other"
    kept = read(section({"c": column}, filled_in={"c": {"unseen": "refuse"}}))["features"]["c"]
    assert kept["unseen"] == "refuse"


def test_how_to_split_is_written_and_a_setting_without_a_value_stays_there():
    split = SplitAdvice(
        row_numbers=("1",), repeats="apart", group="no", time="when", test_from="2024-03-01"
    )
    text = data_section("t.csv", "y", 1, Profile({}, {}, (), split), {}, "later.csv")
    assert "\n  test_from: '2024-03-01' # such as" in text
    assert "\n  group: no # " in text
    data = read(text)
    assert data["row_numbers"] == ["1"]
    assert (data["repeats"], data["time"], data["test_file"]) == ("apart", "when", "later.csv")
    nothing = data_section("t.csv", "y", 1, Profile({}, {}, ()), {})
    assert "\n  group: # " in nothing
    year = SplitAdvice(time="year", test_from=2024)
    assert read(data_section("t.csv", "y", 1, Profile({}, {}, (), year), {}))["test_from"] == 2024


def test_a_category_is_written_with_its_texts():
    column = Column(
        type="category", categories=("1", "no", "null"), missing_values=("?",), missing_because="…"
    )
    (feature,) = read(section({"a": column}))["features"].values()
    assert feature == {
        "type": "category",
        "unit": "",
        "description": "",
        "categories": ["1", "no", "null"],
        "missing_values": ["?"],
    }


def test_what_was_found_stands_beside_it_as_a_comment():
    zeros = Column(type="integer", missing_values=(0.0,), missing_because="5 rows have 0")
    text = section({"a": zeros}, {"id": Left("numbers\nthe rows")})
    found = "      missing_values: # 5 rows have 0: check that this means missing\n      - 0\n"
    assert found in text
    assert "  # Left out:\n  #   id: numbers the rows\n  ignore:\n  - id\n" in text


def test_an_experiment_changes_the_one_line_that_it_sets(tmp_path):
    features = {
        "no": Column(type="category", categories=("1", "yes", "?", "x" * 99, "a word " * 30)),
        "a": Column(type="integer", missing_values=(0.0,), missing_because="5 rows have 0"),
        "d": Column(type="date", date_format="%d.%m.%Y", parts=("year", "month")),
        "p": Column(type="number", number_format=NumberFormat(prefix="$")),
    }
    split = SplitAdvice(row_numbers=("1",), repeats="apart", time="when", test_from="2024-03-01")
    found = Profile(features, {"id": Left("numbers the rows"), "b": Left("…")}, (), split)
    filled_in = {"p": {"limits": [0, 5.5], "unit": "%", "description": "what it says " * 20}}
    read = Read(separator="\t", decimal=",", na_values=("?", "none"))
    text = data_section("t.csv", "y", "yes", found, filled_in, read=read) + "\n\nend: 1 # of all\n"
    path = tmp_path / "params.yaml"
    path.write_text(text)
    apply_overrides(path, ["data.min_category_rows=12"])  # as `dvc exp run -S` does
    assert path.read_text() == text.replace("_rows: 10 ", "_rows: 12 ")


@pytest.mark.parametrize("key", [field.name for field in msgspec.structs.fields(FeatureSpec)])
def test_every_key_of_a_feature_is_explained(key):
    assert re.search(rf"\b{key}\b", EXPLANATION)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "yes",
            "No",
            "1",
            "1e5",
            "1_000",
            "12:30",
            "2024-01-01",
            "null",
            "~",
            "<<",
            "=",
            "%",
            "@",
        ),
        *(
            "a: b",
            "a #b",
            "- a",
            "{x}",
            "&a",
            "*",
            "!t",
            "'",
            '"',
            "\\",
            "é€",
            "a\u2028b",
            "x" * 300,
        ),
    ],
)
def test_a_name_of_any_kind_is_read_back_as_the_text_that_it_is(name):
    data = read(section({name: Column(type="number")}, {f"{name}2": Left("…")}))
    assert list(data["features"]) == [name]
    assert data["ignore"] == [f"{name}2"]


@pytest.mark.parametrize(("positive", "written"), [("True", True), (1, 1), ("1.5", "1.5")])
def test_the_positive_class_is_written_as_what_it_is(positive, written):
    text = data_section("t.csv", "y", positive, Profile({}, {}, ()), {})
    assert read(text)["positive_class"] == written
    assert type(read(text)["positive_class"]) is type(written)


def test_what_people_filled_in_is_kept_and_nothing_else():
    before = {
        "unit": "mm",
        "description": "Width",
        "limits": [0, 5],
        "type": "number",
        "nullable": 1,
    }
    features = {"a": Column(type="integer"), "b": Column(type="integer")}
    data = read(section(features, filled_in={"a": before, "b": None}))
    assert data["features"] == {
        "a": {"type": "integer", "unit": "mm", "description": "Width", "limits": [0, 5]},
        "b": {"type": "integer", "unit": "", "description": ""},
    }


def test_of_what_was_filled_in_only_what_its_type_may_have_is_kept():
    before = {"limits": [0, 5], "unseen": "missing"}
    features = {"a": Column(type="category", categories=("x", "z")), "b": Column(type="number")}
    data = read(section(features, filled_in={"a": before, "b": before}))
    assert data["features"]["a"]["unseen"] == "missing"
    assert "limits" not in data["features"]["a"]
    assert "unseen" not in data["features"]["b"]


DOCUMENT = """\
# Of all
a: 1 # of a

b:
    - deep # of b
  # at the end of b

# Of c
c: null   # of c
"""


def test_all_that_stands_around_a_section_stays_to_the_byte():
    assert replaced(DOCUMENT, {"a": 1, "b": 3, "c": 8}, {"a": "a:\n  2", "b": "b:\n  new"}) == (
        "# Of all\na:\n  2\n\nb:\n  new\n\n# Of c\nc: null   # of c\n"
    )
    assert replaced(DOCUMENT, {"a": 1, "b": 3, "c": 8}, {"b": "b: 2", "c": "c: 3"}) == (
        "# Of all\na: 1 # of a\n\nb: 2\n\n# Of c\nc: 3\n"
    )


def test_a_name_is_replaced_without_its_comment():
    assert with_name("name: pima # of the model", "b-2") == "name: b-2 # of the model"
    assert with_name("name: pima", "2024") == "name: '2024'"
