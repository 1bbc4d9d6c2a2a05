import datetime

import pytest

from serving.tables.excel import read_sheet, to_text
from serving.tables.kinds import TableError
from tests.workbooks import write_workbook


def test_cells_are_read_as_a_csv_file_has_them(tmp_path):
    rows = [["a", "b", "c"], [1.0, 0.1, True], [None, "x, y", "#DIV/0!"], [1e300, -5, " "]]
    sheet = read_sheet(write_workbook(tmp_path / "t.xlsx", {"empty": [], "one": rows, "two": rows}))
    assert (sheet.name, sheet.others) == ("one", ("empty", "two"))
    assert sheet.rows == [
        ["a", "b", "c"],
        ["1", "0.1", "true"],
        ["", "x, y", ""],  # an error has no value
        ["1e+300", "-5", " "],
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.30000000000000004"),
        (2.0**60, "1.152921504606847e+18"),
        (datetime.datetime(2024, 1, 31), "2024-01-31"),
        (datetime.datetime(2024, 1, 31, 12, 30), "2024-01-31 12:30:00"),
        (datetime.date(2024, 1, 31), "2024-01-31"),
    ],
)
def test_a_number_is_written_in_full_and_a_date_as_iso(value, text):
    assert to_text(value) == text


def test_a_workbook_without_cells_and_one_that_is_none_are_refused(tmp_path):
    with pytest.raises(TableError, match="without a cell in any sheet"):
        read_sheet(write_workbook(tmp_path / "t.xlsx", {"one": []}))
    (tmp_path / "torn.xlsx").write_bytes((tmp_path / "t.xlsx").read_bytes()[:200])
    with pytest.raises(TableError, match="no Excel workbook, or a damaged one"):
        read_sheet(tmp_path / "torn.xlsx")
