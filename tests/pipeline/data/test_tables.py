"""Other people's tables, described in `tests/data/README.md`: `init`, `preprocess`, requests."""

import shutil

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.commands.init import settings_for
from pipeline.data.source import read_source
from pipeline.params_file import parse
from pipeline.profiling.findings import checked, profile_file
from serving.formats.csv_table import read_table, to_rows
from serving.model.rows import to_matrix
from tests.conftest import ROOT

TABLES = ROOT / "tests/data/tables"

PEOPLE = {"age": "integer", "income": "number", "city": "category", "member": "category"}
MEASURES = {"alpha": "number", "beta": "integer", "gamma": "number", "colour": "category"}
BOOLEANS = {"b1": "category", "b2": "boolean", "b3": "category", "b4": "boolean"}

# The types of the features, the rows that are kept, and how many cells of each are missing.
TYPES = [
    ("semicolon.csv", PEOPLE, 400, {}),
    ("bom_semicolon.csv", PEOPLE, 400, {}),
    ("decimal_comma_semicolon.csv", MEASURES, 240, {}),
    ("semicolon_text_commas.csv", MEASURES, 240, {}),
    ("tab_text_commas.tsv", MEASURES, 240, {}),
    ("pipe.csv", PEOPLE, 400, {}),
    ("sep_line.csv", PEOPLE, 400, {}),
    ("title.csv", PEOPLE, 100, {}),
    ("comment_lines.csv", MEASURES, 240, {}),
    ("header_trailing_comma.csv", MEASURES, 240, {}),
    ("rows_trailing_comma.csv", MEASURES, 240, {}),
    ("excel_empty_rows.csv", MEASURES, 240, {}),
    ("spaces_quoted_comma.csv", MEASURES, 240, {}),
    ("latin1.csv", PEOPLE, 400, {}),
    ("cp1252.csv", {"price € “net”": "number", **dict([*MEASURES.items()][1:])}, 240, {}),
    ("utf16.csv", PEOPLE, 400, {}),
    ("gz.csv.gz", PEOPLE, 400, {}),
    ("plain.zip", MEASURES, 240, {}),
    ("d.parquet", PEOPLE, 400, {}),
    ("t.xlsx", PEOPLE, 200, {}),
    ("uci_question.csv", PEOPLE, 600, {"age": 15}),
    ("na_q.csv", MEASURES, 240, {"alpha": 14}),
    ("na_hash.csv", MEASURES, 240, {"alpha": 14}),
    ("na_unknown.csv", MEASURES, 240, {"alpha": 14}),
    ("bools.csv", {**MEASURES, **BOOLEANS}, 240, {"b4": 60}),
    ("target_missing.csv", PEOPLE, 370, {}),
    ("total.csv", PEOPLE, 400, {}),
    ("continent.csv", PEOPLE, 400, {}),
    ("t_label.csv", MEASURES, 240, {}),
]
NO_CSV = ("gz.csv.gz", "plain.zip", "d.parquet", "t.xlsx")
NO_TARGET = ("target_missing.csv", "total.csv")  # in some rows, which a request has as well


@pytest.fixture
def look(tmp_path):
    """Look at a table as `init` does; give what was found and the settings that it writes."""

    def look(name):
        params = tmp_path / "params.yaml"
        shutil.copyfile(ROOT / "params.yaml", params)
        target = {"t_label.csv": "label"}.get(name)
        if target is None:
            target = "bought" if name in BOUGHT else "y"
        found = profile_file(TABLES / name, target, None)
        settings = parse(settings_for(found, params, None).text, params)
        return checked(found, TABLES / name, settings), settings.data

    return look


BOUGHT = {"mixedna.csv", *(name for name, types, *_ in TYPES if types is PEOPLE)}


@pytest.mark.parametrize(("name", "types", "rows", "missing"), TYPES)
def test_a_table_is_read_right_by_init_and_preprocess_and_as_a_request(
    look, name, types, rows, missing
):
    found, data = look(name)
    assert found.problems == ()
    assert {feature: spec.type for feature, spec in data.features.items()} == types
    table = read_source(TABLES / name, data)
    assert len(table.y) == rows
    absent = np.isnan(table.X).sum(axis=0)
    counts = dict(zip(table.contract.names, absent.tolist(), strict=True))
    assert {feature: count for feature, count in counts.items() if count} == missing
    if name not in (*NO_CSV, *NO_TARGET):
        request = read_table(table.contract, (TABLES / name).read_bytes(), 1000)
        matrix = to_matrix(table.contract, to_rows(table.contract, request))
        np.testing.assert_array_equal(matrix, table.X)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("uci_question.csv", "column age: 15 cells are read as missing: '?' (15)"),
        ("na_hash.csv", "column alpha: 14 cells are read as missing: '#N/A' (14)"),
        ("bools.csv", "column b4: 60 cells are read as missing: '?' (60)"),
        ("continent.csv", "column city: 'NA' is a category, and does not mean missing"),
        ("total.csv", "column bought: row 401 has no target, and is left out"),
        (
            "target_missing.csv",
            "column bought: 30 rows have no target (rows 7, 21, 28, 32, 61, 64, 74, 77, 87, 95 …), "
            "and are left out",
        ),
        ("excel_empty_rows.csv", "6 rows have no value in any column: passed over"),
    ],
)
def test_what_was_done_is_told(look, name, told):
    found, _ = look(name)
    assert any(note.endswith(told) for note in found.notes), found.notes


def test_infinity_is_no_word_for_missing_unless_stated(look):
    """All other words of this table are: those of three languages, of pandas and of Excel."""
    found, data = look("mixedna.csv")
    assert [problem.partition("row ")[2] for problem in found.problems] == [
        "94, column income: 'inf' is not a number",
        "96, column age: 'inf' is not a number",
    ]
    stated = replace(data, read=replace(data.read, na_values=("inf",)))
    table = read_source(TABLES / "mixedna.csv", stated)
    assert np.isnan(table.X).sum(axis=0).tolist() == [19, 19, 19, 0]


def test_a_category_is_called_na(look):
    _, data = look("continent.csv")
    assert data.features["city"].categories == ("AF", "AS", "EU", "NA")
