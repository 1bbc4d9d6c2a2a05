"""Other people's tables, as `tests/data/README.md` describes them, read as files."""

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.data.table_file import find_read, read_file, read_header
from pipeline.errors import PipelineError
from tests.conftest import ROOT
from tests.workbooks import write_workbook

TABLES = ROOT / "tests/data/tables"

NUMBERS = ["62.88", "5", "0.883", "green", "1"]
DARK = ["62.88", "5", "0.883", "green, dark", "1"]
PEOPLE = ["70", "23900.97", "Graz", "no", "yes"]
GERMAN = ["70", "23900,97", "Graz", "no", "yes"]
ZURICH = ["70", "23900.97", "Zürich", "no", "yes"]

# How each is written, its rows, its first row, and what is told of what was passed over.
READ = [
    ("semicolon.csv", {"separator": ";", "decimal": ","}, 400, GERMAN, []),
    ("bom_semicolon.csv", {"separator": ";", "decimal": ","}, 400, GERMAN, []),
    (
        "decimal_comma_semicolon.csv",
        {"separator": ";", "decimal": ","},
        *(240, ["62,88", "5", "0,883", "green", "1"], []),
    ),
    ("semicolon_text_commas.csv", {"separator": ";"}, 240, DARK, []),
    ("tab_text_commas.tsv", {"separator": "\t"}, 240, DARK, []),
    ("pipe.csv", {"separator": "|"}, 400, PEOPLE, []),
    ("sep_line.csv", {"skip": 1}, 400, PEOPLE, []),
    ("title.csv", {"skip": 2}, 100, ["57", "25144.54", "Graz", "no", "no"], []),
    ("comment_lines.csv", {"skip": 1}, 240, NUMBERS, []),
    (
        "header_trailing_comma.csv",
        *({}, 240, NUMBERS),
        ["the header ends in a separator that the rows lack: passed over"],
    ),
    (
        "rows_trailing_comma.csv",
        *({}, 240, NUMBERS),
        ["the rows end in a separator that the header lacks: passed over"],
    ),
    (
        "excel_empty_rows.csv",
        *({}, 240, NUMBERS),
        ["6 rows have no value in any column: passed over"],
    ),
    ("spaces_quoted_comma.csv", {}, 240, DARK, []),
    ("latin1.csv", {"encoding": "cp1252"}, 400, ZURICH, []),
    ("cp1252.csv", {"encoding": "cp1252"}, 240, NUMBERS, []),
    ("utf16.csv", {"encoding": "utf-16"}, 400, ZURICH, []),
    ("gz.csv.gz", {}, 400, PEOPLE, []),
    ("plain.zip", {}, 240, NUMBERS, []),
    ("d.parquet", {}, 400, PEOPLE, []),
    ("t.xlsx", {}, 200, PEOPLE, []),
]


@pytest.mark.parametrize(("name", "written", "rows", "first", "told"), READ)
def test_a_table_is_read_as_it_is_written(name, written, rows, first, told):
    read = find_read(TABLES / name)
    assert read.to_builtins() == written
    file = read_file(TABLES / name, read)
    assert (len(file.cells), file.cells.iloc[0].tolist()) == (rows, first)
    assert file.notes == tuple(f"{TABLES / name}: {note}" for note in told)
    assert all(column == column.strip().strip('"') for column in file.cells.columns)
    assert [name for name in read_header(TABLES / name, read) if name] == [*file.cells.columns]


def test_the_characters_of_an_old_encoding_are_the_right_ones():
    path = TABLES / "cp1252.csv"
    assert read_file(path, find_read(path)).cells.columns[0] == "price € “net”"


def test_a_table_without_a_header_is_refused():
    with pytest.raises(PipelineError, match="has no header: its first row looks like data"):
        read_file(TABLES / "no_header.csv")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (
            "semicolon.csv",
            'separated by semicolons, with decimal commas, .*`read: {"separator":";"',
        ),
        ("title.csv", "with 2 lines above the header"),
        ("utf16.csv", "in utf-16"),
        ("tab_text_commas.tsv", "separated by tabs"),
    ],
)
def test_what_is_not_written_as_stated_is_told_as_what_it_is(name, what):
    with pytest.raises(PipelineError, match=f"{name} is {what}"):
        read_file(TABLES / name)


@pytest.mark.parametrize("header", ["0,1,2", "a,2019,2020", "1,2,3"])
def test_numbers_may_be_the_names_of_columns(write_csv, header):
    assert list(read_file(write_csv(f"{header}\nx,1,2\n")).cells.columns) == header.split(",")


def test_columns_without_name_and_value_are_left_out(write_csv):
    file = read_file(write_csv("a,,b,\n1,,2,\n3,,4,\n"))
    assert list(file.cells.columns) == ["a", "b"]
    assert "2 columns have neither a name nor a value: left out" in file.notes[0]


@pytest.mark.parametrize(
    "content",
    [
        'a,b\n1,"x\ny"\n2,"z, ""quoted"""\n',
        'a,b\r1,"x\ny"\r2,"z, ""quoted"""\r',
        'a,b\r\n1, "x\ny"\r\n2, "z, ""quoted"""',
    ],
)
def test_quotes_and_line_ends_are_read_whichever_way(write_csv, content):
    cells = read_file(write_csv(content)).cells
    assert cells["b"].tolist() == ["x\ny", 'z, "quoted"']


def test_a_sheet_may_have_a_title_empty_rows_and_others_beside_it(tmp_path):
    rows = [["People"], [], ["age", "city"], [30, "Graz"], [None, " "], [0.5, "#N/A"]]
    path = write_workbook(tmp_path / "t.xlsx", {"people": rows, "notes": [["none"]]})
    read = find_read(path)
    assert read.to_builtins() == {"skip": 2}
    file = read_file(path, read)
    assert file.cells.to_dict("list") == {"age": ["30", "0.5"], "city": ["Graz", ""]}
    assert file.notes == (
        f"{path}: read the sheet people, not notes",
        f"{path}: 1 row has no value in any column: passed over",
    )


def test_parquet_s_types_are_read_as_a_csv_file_has_them(tmp_path):
    columns = {
        "whole": [1, 2],
        "float": [0.1 + 0.2, None],
        "bool": [True, False],
        "word": pa.array(["a", None]).dictionary_encode(),
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    cells = read_file(tmp_path / "t.parquet").cells
    assert cells.iloc[0].tolist() == ["1", "0.30000000000000004", "true", "a"]
    assert cells.iloc[1].tolist() == ["2", "", "false", ""]


def test_an_index_of_pandas_is_none_of_the_names(tmp_path):
    pd.DataFrame({"a": [1, 2]}, index=[7, 3]).to_parquet(tmp_path / "t.parquet")
    assert list(read_file(tmp_path / "t.parquet").cells.columns) == ["a", ""]


def test_a_column_of_lists_is_named(tmp_path):
    parquet.write_table(pa.table({"a": [[1], [2]]}), tmp_path / "t.parquet")
    with pytest.raises(PipelineError, match=r"t\.parquet has list<.*> in the column a"):
        read_file(tmp_path / "t.parquet")


def test_another_kind_of_file_is_named(write_csv):
    with pytest.raises(PipelineError, match=r"table\.csv is JSON: save the table as CSV"):
        read_file(write_csv('[{"a": 1}]'))


def test_what_is_no_text_is_told(write_csv):
    with pytest.raises(PipelineError):
        find_read(write_csv(bytes(range(256)) * 10))
