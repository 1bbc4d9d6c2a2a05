import json
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from dvc.utils.serialize import modify_yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.__main__ import main
from pipeline.commands.init import place_of, settings_for, with_way
from pipeline.data.source import read_source
from pipeline.data.times import read_time
from pipeline.params_file import load, parse
from pipeline.profiling.findings import checked, profile_file
from tests.conftest import ROOT

ROWS = 120


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A project's folder with the repository's settings."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    return tmp_path


@pytest.fixture
def write(folder):
    """Write a table of a feature `a` and a target `y`, or of the columns that are given."""

    def write(name="table.csv", **columns):
        rng = np.random.default_rng(0)
        table = {"a": rng.normal(size=ROWS).round(6), "y": [0, 0, 0, 1] * (ROWS // 4), **columns}
        pd.DataFrame(table).to_csv(folder / name, index=False)
        return name

    return write


@pytest.fixture
def init(capsys):
    """Run the command; give the exit code and what it printed."""

    def init(*arguments, target="y"):
        code = main(["init", *arguments, "--target", target])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return init


def test_the_written_section_loads_and_the_table_passes(init, folder, breast_cancer_csv):
    shutil.copyfile(breast_cancer_csv, folder / "breast cancer.csv")
    code, out, err = init("breast cancer.csv", target="target")
    assert (code, out) == (0, "")
    params = load(folder / "params.yaml")
    assert (params.name, params.data.file) == ("breast-cancer", "breast cancer.csv")
    assert (params.data.target, params.data.positive_class) == ("target", 1)
    assert {spec.type for spec in params.data.features.values()} == {"number"}
    table = read_source(Path(params.data.file), params.data)
    assert table.X.shape == (569, 30)
    assert table.y.sum() == 357
    lines = err.splitlines()
    assert [*lines[:4], *lines[-3:]] == [
        "breast cancer.csv: 569 rows, 30 features (30 number), 0 columns left out",
        "column target: 1 is the positive class, which says yes; 212 rows are 0, 357 rows are 1",
        "breast cancer.csv: the unnamed column 1 is an index, no feature: left out",
        "column                   type    missing  done  why",
        "worst fractal dimension  number           kept",
        "params.yaml: name and data are written",
        "fill in units, descriptions and limits there, then type: dvc repro",
    ]


def test_the_zeros_of_the_pima_table_are_written_as_missing_and_told(init, folder, pima_csv):
    shutil.copyfile(pima_csv, folder / "pima.csv")
    code, _, err = init("pima.csv", target="Outcome")
    assert code == 0
    features = load(folder / "params.yaml").data.features
    zeros = {name for name, spec in features.items() if spec.missing_values}
    assert zeros == {"Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"}
    assert all(features[name].missing_values == (0,) for name in zeros)
    told = "374 (48.7%)  0 treated as missing  374 rows have 0, the others lie from 14 to 846"
    assert told in err
    commented = "missing_values: # 374 rows have 0, the others lie from 14 to 846: check"
    assert commented in (folder / "params.yaml").read_text()


def test_the_rest_of_params_yaml_stays_to_the_byte(init, write, folder):
    before = (folder / "params.yaml").read_text()
    assert init(write())[0] == 0
    after = (folder / "params.yaml").read_text()
    assert after.startswith(before[: before.index("name:")])
    of_the_table_before = "  subgroups: {Age: [30, 45]}"
    assert of_the_table_before in before
    rest = before[before.index("\npreprocess:") : before.index("\ncard:")]
    rest = rest.replace(of_the_table_before, "  subgroups: {}")
    rest = re.sub(
        r"( (?:min_roc_auc|max_brier|max_calibration_error)): .*",
        r"\1: # empty: follows from the table",
        rest,
    )
    assert rest + "\ncard: {} #" in after
    seed = before[before.index(" # the experiment") : before.index("\ndata:")]
    assert f"name: table{seed}\ndata:\n" in after


def test_bounds_of_another_table_are_taken_out_and_a_persons_stay(init, write, folder):
    params, table = folder / "params.yaml", write()
    assert init(table)[0] == 0
    gates = load(params).register.gates
    assert (gates.min_roc_auc, gates.max_brier, gates.max_bias) == (None, None, 0.03)
    params.write_text(params.read_text().replace("max_brier: #", "max_brier: 0.1 #"))
    assert init(table)[0] == 0
    assert load(params).register.gates.max_brier == 0.1


def test_writing_params_yaml_back_changes_one_line(init, write, folder):
    """DVC's writer has a form of its own for texts, comments and empty settings."""
    params = folder / "params.yaml"
    table = folder / write()
    table.write_text(table.read_text().replace("a,y\n", "age,died\n"))  # YAML 1.1 reads y as yes
    for begin in (lambda: None, lambda: init(table.name, target="died")):
        begin()
        written = params.read_text()
        with modify_yaml(str(params)) as document:
            document["seed"] = 43
        pairs = zip(written.splitlines(), params.read_text().splitlines(), strict=True)
        assert [new[:8] for old, new in pairs if new != old] == ["seed: 43"]
        params.write_text(written)


def test_subgroups_of_columns_that_the_table_has_stay(init, write, folder):
    assert init(write(Age=[20, 31, 47, 52, 60] * (ROWS // 5)))[0] == 0
    assert "  subgroups: {Age: [30, 45]}" in (folder / "params.yaml").read_text()


def test_what_the_model_card_said_of_another_table_is_taken_out_and_then_kept(init, write, folder):
    params = folder / "params.yaml"
    said = "\ncard:\n  intended_use: >-\n    For us.\n  license: mit\n"
    text = params.read_text()
    params.write_text(text[: text.find("\ncard:")] + said if "\ncard:" in text else text + said)
    table = write()
    assert init(table)[0] == 0
    assert "\ncard: {} # what" in params.read_text()
    filled_in = params.read_text().replace("\ncard: {}", "\ncard: {license: mit}")
    params.write_text(filled_in)
    assert init(table)[0] == 0
    assert "card: {license: mit}" in params.read_text()


def test_a_dry_run_prints_the_section_and_writes_nothing(init, write, folder):
    code, out, err = init(write(), "--dry-run")
    assert code == 0
    assert out.startswith("name: table # the experiment")
    assert "\ndata:\n  file: table.csv\n  read: {} #" in out
    assert "written" not in err
    assert "repro" not in err
    assert (folder / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_as_json_everything_that_was_found_is_told(init, write):
    code, out, _ = init(
        write(key=range(ROWS), zero=[*[0] * 6, *[30, 32, 34, 35, 36, 37] * 19]), "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert found["classes"] == {"0": 90, "1": 30}
    assert (found["positive_class"], found["positive_because"]) == (1, "which says yes")
    assert found["profile"]["ignored"] == {
        "key": {
            "reason": "numbers the rows, from 0 to 119",
            "leak": False,
            "type": "row number",
        }
    }
    assert found["profile"]["features"]["zero"] == {
        "type": "integer",
        "missing_values": [0.0],
        "missing_because": "6 rows have 0, the others lie from 30 to 37",
    }
    assert (found["problems"], found["rows"]) == ([], ROWS)


def test_a_column_that_leaks_is_ignored_and_the_user_decides(init, write, folder):
    _, _, err = init(write(leak=[3.5, 3.5, 3.5, 7.0] * (ROWS // 4)))
    assert "column leak: alone predicts y (ROC AUC 1.000): left out, since" in err
    assert "move it to data.features where it is known before" in err
    assert load(folder / "params.yaml").data.ignore == ("leak",)


def test_a_cell_that_cannot_be_read_is_told_and_the_type_stays(init, write, folder):
    values = np.arange(ROWS) * 1.5
    code, _, err = init(write(b=[*values[:40], "abc", *values[41:]]))
    assert code == 1
    assert err.endswith(
        "init failed: these cells are to be corrected before `dvc repro`:\n"
        "table.csv, row 41, column b: 'abc' is not a number\n"
    )
    assert load(folder / "params.yaml").data.features["b"].type == "number"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a"] * 3, "table.csv, column y: has 1 class (a), two are needed"),
        ([0, "", ""], "table.csv, column y: is missing in 80 of 120 rows: fill it in"),
    ],
)
def test_a_target_without_classes_is_refused(init, write, folder, values, said):
    code, out, err = init(write(y=values * (ROWS // 3)))
    assert (code, out) == (1, "")
    assert err.startswith(f"init failed: {said}")
    assert (folder / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_the_classes_of_a_target_are_told_with_their_shares(init, write, folder):
    code, _, err = init(write(y=["a", "c", "b", "a"] * (ROWS // 4)))
    assert code == 0
    told = "column y: one of 3 classes is predicted; 60 rows are a (50%), 30 rows are b (25%), "
    assert told in err
    assert load(folder / "params.yaml").data.positive_class is None


def test_of_several_classes_none_is_positive(init, write):
    code, _, err = init(write(y=["a", "c", "b"] * (ROWS // 3)), "--positive-class", "a")
    assert code == 1
    assert "column y: has 3 classes, --positive-class is for two" in err


def test_columns_can_be_chosen(init, write, folder):
    who, when = [row % 30 for row in range(ROWS)], [2000 + row // 10 for row in range(ROWS)]
    write(b=np.arange(ROWS) % 4, note=["x", "z"] * (ROWS // 2), who=who, when=when)
    chosen = ("--category", "b", "--ignore", "note", "--group", "who", "--time", "when")
    code, out, _ = init("table.csv", *chosen, "--json")
    assert code == 0
    data = load(folder / "params.yaml").data
    assert data.features["b"].categories == ("0", "1", "2", "3")
    assert data.ignore == ("note", "who", "when")
    assert (data.group, data.time, data.test_from) == ("who", "when", 2010)
    rows = {row["column"]: row for row in json.loads(out)["columns"]}
    assert (rows["b"]["why"], rows["who"]["done"]) == ("a category as given", "data.group")


@pytest.mark.parametrize(
    ("option", "column", "said"),
    [
        ("--time", "note", "--time: column note has 'x' in row 1: ISO dates such as 2024-03-01,"),
        ("--number", "note", "--number: column note has 120 cells that are no number, such as 'x'"),
        ("--date", "note", "--date: column note has no dates of one format, as 'x' shows: write"),
        ("--ignore", "z", "--ignore: the table has no column z; it has a, y, note"),
    ],
)
def test_choice_that_cannot_be_is_refused(init, write, option, column, said):
    code, _, err = init(write(note=["x", "z"] * (ROWS // 2)), option, column)
    assert code == 1
    assert err.startswith(f"init failed: {said}")


def test_what_is_not_there_is_named(init, write):
    assert init("nowhere.csv") == (1, "", "init failed: nowhere.csv is no file\n")
    assert init(write(), target="z") == (
        *(1, ""),
        "init failed: table.csv: has no column z; give --target one of a, y\n",
    )
    assert init(write(), "--positive-class", "2") == (
        *(1, ""),
        "init failed: table.csv, column y: no row is 2; give --positive-class 0 or 1\n",
    )
    assert init(write(), "--params", "other.yaml") == (
        *(1, ""),
        "init failed: other.yaml cannot be read: No such file or directory\n",
    )


def test_a_table_without_a_feature_is_refused_with_the_reasons(init, write):
    code, _, err = init(write(a=range(ROWS), b=[""] * ROWS))
    assert code == 1
    assert err == (
        "init failed: table.csv: no column is left as a feature: "
        "a numbers the rows, from 0 to 119; b has no value\n"
    )


@pytest.mark.parametrize("text", ["seed: 1\n", "- a\n", "name: a\n", ""])
def test_settings_without_a_section_to_replace_are_refused(init, write, folder, text):
    (folder / "params.yaml").write_text(text)
    code, _, err = init(write())
    assert (code, (folder / "params.yaml").read_text()) == (1, text)
    assert err == "init failed: params.yaml has no name and no section data to replace\n"


def test_settings_that_are_wrong_elsewhere_are_left_alone(init, write, folder):
    text = (ROOT / "params.yaml").read_text().replace("folds: 5", "folds: many")
    (folder / "params.yaml").write_text(text)
    code, _, err = init(write())
    assert code == 1
    assert err.startswith("init failed: params.yaml, grid_search.folds: ")
    assert (folder / "params.yaml").read_text() == text


def test_a_name_can_be_given_and_must_be_one(init, write, folder):
    assert init(write(), "--name", "churn 2")[0] == 0
    assert load(folder / "params.yaml").name == "churn 2"
    code, _, err = init(write(), "--name", "a/b")
    assert code == 1
    assert err.startswith("init failed: params.yaml, name: ")


@pytest.mark.parametrize(
    ("file", "name"), [("a b (1).csv", "a-b-1"), ("2024_01.csv", "2024_01"), ("é.csv", "model")]
)
def test_the_name_is_the_file_s_as_far_as_it_can_be(write, init, folder, file, name):
    assert init(write(file))[0] == 0
    assert load(folder / "params.yaml").name == name


def test_the_positive_class_can_be_given(init, write, folder):
    _, _, err = init(write(), "--positive-class", "0")
    assert load(folder / "params.yaml").data.positive_class == 0
    assert "0 is the positive class, as given" in err


def test_looking_again_keeps_what_people_filled_in(init, write, folder):
    init(write())
    path = folder / "params.yaml"
    text = path.read_text().replace("unit: ''", "unit: mm\n      limits: [-9, 9]")
    path.write_text(text.replace("name: table", "name: mine"))
    init(write(b=np.arange(ROWS) * 1.5))
    params = load(path)
    assert (params.data.features["a"].unit, params.data.features["a"].limits) == ("mm", (-9, 9))
    assert params.data.features["b"].unit == ""
    assert params.name == "mine"
    init(write("other.csv"))
    assert load(path).data.features["a"].unit == ""
    assert load(path).name == "other"


def test_too_few_rows_for_the_folds_are_told_with_what_to_set(init, write):
    y = [1] * 7 + [0] * (ROWS - 7)
    code, _, err = init(write(y=y))
    assert code == 0
    assert "for the test: 7 (grid_search.folds + 2) and 5 are needed; give more rows" in err
    assert "for training" not in init(write())[2]


VISITS = {
    "patient_id": [f"P{row % 30:02}" for row in range(ROWS)],
    "date": [f"2024-{1 + row // 28:02}-{1 + row % 28:02}" for row in range(ROWS)],
    "nr": range(1, ROWS + 1),
}


def test_groups_times_and_row_numbers_are_written_and_told(init, write, folder):
    code, _, err = init(write(**VISITS))
    assert code == 0
    data = load(folder / "params.yaml").data
    assert (data.group, data.time, data.test_from) == ("patient_id", "date", "2024-04-13")
    assert data.row_numbers == ("nr",)
    assert {*data.ignore} == {*VISITS}
    assert "column patient_id: 30 different ones in 120 rows: with a random split, rows of" in err
    assert "column date: is the time of a row: the 20% of the rows from 2024-04-13 on are" in err
    table = read_source(Path(data.file), data)
    assert table.groups.max() == 29
    assert (table.times >= read_time(data.test_from)).sum() == 24


def test_the_share_of_the_latest_rows_is_that_of_the_settings(init, write, folder):
    text = (ROOT / "params.yaml").read_text().replace("test_size: 0.2", "test_size: 0.5")
    (folder / "params.yaml").write_text(text)
    init(write(date=VISITS["date"]))
    assert load(folder / "params.yaml").data.test_from == VISITS["date"][60]


def test_a_file_of_test_rows_stays_where_the_same_table_is_looked_at_again(init, write, folder):
    init(write())
    later = write("later.csv", a=np.random.default_rng(1).normal(size=ROWS).round(6))
    path = folder / "params.yaml"
    path.write_text(path.read_text().replace("test_file: data/none", f"test_file: {later}"))
    assert init(write())[0] == 0
    assert load(path).data.test_file == later
    assert init(write("other.csv"))[0] == 0
    assert load(path).data.test_file == "data/none"


def test_names_of_classes_stay_where_the_same_target_is_looked_at_again(init, write, folder):
    table = write()
    init(table)
    path = folder / "params.yaml"
    names = "class_names: {0: healthy, 1: ill}"
    path.write_text(path.read_text().replace("class_names: {}", names))
    assert init(table)[0] == 0
    assert load(path).data.class_names == {0: "healthy", 1: "ill"}
    assert init(write("other.csv"))[0] == 0
    assert load(path).data.class_names == {}


def test_a_file_is_named_from_the_project_s_folder_and_elsewhere_absolutely(tmp_path):
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    assert place_of(project / "data" / ".." / "data" / "a.csv", project) == "data/a.csv"
    assert place_of(tmp_path / "a.csv", project) == (tmp_path / "a.csv").as_posix()


def test_a_table_where_the_pipeline_writes_one_is_refused(init, write, folder):
    shutil.copyfile(ROOT / "dvc.yaml", folder / "dvc.yaml")
    (folder / "data").mkdir()
    write("data/training.csv")
    assert init("data/training.csv") == (
        *(1, ""),
        "init failed: data/training.csv is where the pipeline writes: "
        "give the table another name\n",
    )
    assert init(write())[0] == 0


def test_the_docs_show_what_it_says(init, folder, pima_csv):
    (folder / "data").mkdir()
    shutil.copyfile(pima_csv, folder / "data/diabetes.csv")
    _, out, err = init("data/diabetes.csv", "--dry-run", target="Outcome")
    docs = (ROOT / "docs/pipeline.md").read_text()
    assert f"--dry-run\n{err}" in docs
    (shown,) = re.findall(r"```yaml\n(    BMI:\n.*?)```", docs, re.DOTALL)
    assert shown in out


CELLS = {
    "numbers": st.floats(-1e9, 1e9).map(repr) | st.sampled_from(["0", "-1", "999", "", "NA"]),
    "whole": st.integers(-5, 20).map(str),
    "booleans": st.sampled_from(["true", "FALSE", "", "0"]),
    "nothing": st.sampled_from(["", "null", "NaN"]),
    "constant": st.just("same"),
    "dates": st.dates().map(str),
    "categories": st.sampled_from(["yes", "No", "", "?", "1", "3+", "a, b", "NA", "unknown"]),
}
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12).map(str.strip)


@st.composite
def tables(draw, kinds=tuple(CELLS)):
    """Give a table: its first column is the target, the second numbers, the third prose."""
    names = draw(st.lists(NAMES.filter(bool), min_size=3, max_size=7, unique=True))
    rows = draw(st.integers(30, 60))
    columns = [
        draw(st.lists(st.sampled_from(["no", "si"]), min_size=2, max_size=9)),
        [f"{row * row}.5" for row in range(rows)],
        [f"row {row}" for row in range(rows)],
    ]
    for _ in names[3:]:
        columns.append(draw(st.lists(CELLS[draw(st.sampled_from(kinds))], min_size=1, max_size=20)))
    columns[0][:2] = ["no", "si"]
    cells = [[column[row % len(column)] for row in range(rows)] for column in columns]
    return pd.DataFrame(dict(zip(names, cells, strict=True)))


def test_a_table_with_categories_is_written_loads_and_passes(init, folder):
    shutil.copyfile(ROOT / "tests/data/penguins.csv", folder / "penguins.csv")
    code, _, err = init("penguins.csv", target="sex")
    assert code == 0
    assert err.startswith(
        "penguins.csv: 333 rows, 7 features (2 category, 2 number, 3 integer), 0 columns left out\n"
        "column sex: female is the positive class, the rarer class; "
        "165 rows are female, 168 rows are male\n"
    )
    data = load(folder / "params.yaml").data
    assert data.features["species"].categories == ("Adelie", "Chinstrap", "Gentoo")
    assert data.features["island"].categories == ("Biscoe", "Dream", "Torgersen")
    assert read_source(Path(data.file), data).X.shape == (333, 7)


def test_a_text_that_stands_for_missing_in_a_category_is_written_so(init, write, folder):
    write(kind=["?", "small", "large", "", "large"] * (ROWS // 5))
    code, _, err = init("table.csv")
    assert code == 0
    assert "? treated as missing  24 rows have '?': please check" in err
    kind = load(folder / "params.yaml").data.features["kind"]
    assert kind.categories == ("large", "small")
    assert kind.missing_values == ("?",)
    assert kind.nullable


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return tmp_path_factory.mktemp("drawn") / "table.csv"


def accepted(table, path):
    """Write a table and its settings, and have the one read by the other."""
    table.to_csv(path, index=False)
    params = ROOT / "params.yaml"
    found = profile_file(path, str(table.columns[0]), None)
    read = parse(settings_for(found, params, None).text, params)
    assert checked(found, path, read).problems == ()
    assert set(read.data.features) == set(found.profile.features)
    return read


@given(table=tables())
def test_for_any_table_what_is_written_loads_and_the_table_passes(table, drawn):
    read = accepted(table, drawn)
    assert msgspec.to_builtins(read)["seed"] == 42


def test_how_the_table_is_written_is_told_and_stated_and_words_for_missing_stay(init, folder):
    shutil.copyfile(ROOT / "tests/data/tables/semicolon.csv", folder / "people.csv")
    code, _, err = init("people.csv", target="bought")
    assert code == 0
    assert err.startswith("people.csv: separated by semicolons, with decimal commas\n")
    params = folder / "params.yaml"
    line = "read: {separator: ;, decimal: ','}"
    assert line in params.read_text()
    with_words = "read: {separator: ';', decimal: ',', na_values: [Graz, 70]}"
    params.write_text(params.read_text().replace(line, with_words))
    code, _, err = init("people.csv", target="bought")
    assert code == 0
    data = load(params).data
    assert data.read.na_values == ("Graz", 70)
    assert data.features["city"].categories == ("Innsbruck", "Linz", "Wien")
    assert data.features["city"].nullable
    assert data.features["age"].nullable


@pytest.mark.parametrize("separator", ["\t", "|"])
def test_a_separator_is_read_back_from_the_settings(init, write, folder, separator):
    pd.read_csv(folder / write()).to_csv(folder / "table.csv", sep=separator, index=False)
    assert init("table.csv")[0] == 0
    assert load(folder / "params.yaml").data.read.separator == separator


def test_a_large_table_s_way_of_searching_is_told(write, folder):
    found, params = profile_file(folder / write(), "y", None), load(folder / "params.yaml")
    assert with_way(found, params).notes == ()
    large = msgspec.structs.replace(found, rows=200_000)
    (note,) = with_way(large, params).notes
    assert note.startswith("160,000 rows: Nyström with ")


def test_what_was_found_is_written_though_nobody_reads_the_report(init, write, folder, monkeypatch):
    def gone(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", gone)
    with pytest.raises(BrokenPipeError):
        init(write())
    assert load(folder / "params.yaml").data.target == "y"
