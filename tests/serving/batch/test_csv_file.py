"""A CSV file in chunks is the table that it is as a whole, wherever the chunks end."""

import csv
import io

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as configure
from hypothesis import strategies as st

from serving.batch import csv_file
from serving.batch.open_table import open_table
from serving.batch.table import ScoringError
from serving.errors import MalformedBodyError
from serving.formats.csv_records import Fault, Lines, check_length, read_records
from serving.formats.csv_table import read_table
from tests.serving.batch.files import HEADER

PLAIN = ["", "1", "1", "148", " 2", "ab", "é", "NA", "\n", "\r\n", "x\ry"]
QUOTED = ['"q"', '"a,b"', '"a ""b"" c"', '"two\nlines"', '"\r"']
WRONG = ['"', '5" pipe', '"open', '"closed"late']
CELLS = st.sampled_from(PLAIN + QUOTED + WRONG)
LINES = st.lists(CELLS, max_size=5).map(",".join)
NEWLINES = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n  \n"])
BODIES = st.lists(st.tuples(LINES, NEWLINES)).map(lambda parts: "".join(map("".join, parts)))


def read(contract, path):
    """Give the cells of all rows, and the faults by the row's place in the file."""
    rows, faults = [], {}
    with open_table(contract, path) as table:
        for chunk in table.chunks():
            part = chunk.parse()
            faults |= {len(rows) + place: detail for place, detail in part.faults.items()}
            columns = [column.to_pylist() for column in part.rows.columns]
            rows += [list(row) for row in zip(*columns, strict=True)]
    return rows, faults


def expected(body):
    """Give the same, read record by record from the whole text."""
    records = [check_length(record, ["a", "b", "c"]) for record in read_records(Lines(body))]
    faults = {i: record.detail for i, record in enumerate(records) if isinstance(record, Fault)}
    cells = [(r.cells + [""] * 3)[:3] if isinstance(r, Fault) else r for r in records]
    return cells, faults


@given(BODIES, st.integers(4, 40), st.booleans())
@example('1,"2\n",3\n1,2,3\n', 8, True)
@example('1,2,3\r"4,5\r\n6,7,8', 5, True)
@example("1,2,3\r\r\n4,5,6\r", 6, True)
@configure(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_chunks_of_any_size_have_the_rows_of_the_whole(
    contract, tmp_path, monkeypatch, body, size, ended
):
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", size)
    body = body + "\n" if ended else body
    path = tmp_path / "in.csv"
    path.write_bytes((HEADER + body).encode())
    assert read(contract, path) == expected(body)


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3)))
@configure(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_csv_writes_is_read_as_it_was(contract, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", 64)
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    (tmp_path / "in.csv").write_bytes((HEADER + text.getvalue()).encode("utf-8", "replace"))
    readable = [[cell.encode("utf-8", "replace").decode() for cell in row] for row in rows]
    with_values = [row for row in readable if any(cell and not cell.isspace() for cell in row)]
    assert read(contract, tmp_path / "in.csv") == (with_values, {})


def test_most_tables_are_parsed_many_lines_at_once(contract, tmp_path, monkeypatch):
    def read_header_only(lines, separator):
        assert lines.text.startswith(HEADER), "read record by record"
        return read_records(lines, separator)

    monkeypatch.setattr(csv_file, "read_records", read_header_only)
    body = '1,2,3\n"a, ""b""",5,"6\r\n7"\n\n,,\n' * 1000
    (tmp_path / "in.csv").write_text(HEADER + body, newline="")
    rows, _ = read(contract, tmp_path / "in.csv")
    assert rows == [["1", "2", "3"], ['a, "b"', "5", "6\r\n7"]] * 1000


def test_a_quote_that_is_never_closed_takes_no_other_row_with_it(contract, tmp_path):
    body = '1,2,3\n"4,5,6\n7,8,9\n' + "1,2,3\n" * 50_000
    (tmp_path / "in.csv").write_text(HEADER + body)
    rows, faults = read(contract, tmp_path / "in.csv")
    assert len(rows) == 50_003
    assert rows[:3] == [["1", "2", "3"], ['"4,5,6', "", ""], ["7", "8", "9"]]
    assert faults == {1: "is not valid CSV: field larger than field limit (131072)"}


@pytest.mark.parametrize("cell", ["x{}", '"{}"', "{}é"])
def test_cell_has_the_limit_that_predict_has(contract, tmp_path, cell):
    limit = csv.field_size_limit()
    longest = cell.format("9" * (limit - len(cell.strip('"').format(""))))
    longer = longest.replace("9", "99", 1)
    (tmp_path / "in.csv").write_text(f"{HEADER}1,2,3\n1,{longest},3\n1,{longer},3\n1,2,3\n")
    rows, faults = read(contract, tmp_path / "in.csv")
    assert [len(row[1]) for row in (rows[0], rows[1], rows[3])] == [1, limit, 1]
    assert faults == {2: "is not valid CSV: field larger than field limit (131072)"}
    with pytest.raises(MalformedBodyError, match=r"^Row 3 is not valid CSV: field larger than"):
        read_table(contract, (tmp_path / "in.csv").read_bytes(), 10)


def test_a_row_that_is_not_utf8_is_a_fault_of_its_own(contract, tmp_path):
    body = HEADER.encode() + "1,2,ü\n4,\xff,6\n7,8,é\n".encode("latin-1") + "ü,1,2\n".encode()
    (tmp_path / "in.csv").write_bytes(body)
    rows, faults = read(contract, tmp_path / "in.csv")
    assert [row[2] for row in rows] == [r"\xfc", "6", r"\xe9", "2"]
    assert rows[1][1] == r"\xff"
    assert {place: detail.partition(":")[0] for place, detail in faults.items()} == {
        0: "is not UTF-8 (byte 0xfc)",
        1: "is not UTF-8 (byte 0xff)",
        2: "is not UTF-8 (byte 0xe9)",
    }


def test_a_line_without_an_end_is_refused_before_memory_is_full(contract, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "LONGEST_LINE", 2**21)
    (tmp_path / "in.csv").write_bytes(HEADER.encode() + b"1" * 2**23)
    with pytest.raises(ScoringError, match=r"in\.csv has a line of more than 64 MB"):
        read(contract, tmp_path / "in.csv")
