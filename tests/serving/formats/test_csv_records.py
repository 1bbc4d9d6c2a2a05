"""CSV text becomes records; one that cannot be read takes no other with it."""

import csv
import time
import tracemalloc

import pytest

from serving.formats import csv_records
from serving.formats.csv_records import Fault, Lines, check_length, read_records


def read(text, *more):
    pieces = iter(more)
    return list(read_records(Lines(text, lambda: next(pieces, ""))))


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("", []),
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
        ("a,b\r1,2\r\n3,4", [["a", "b"], ["1", "2"], ["3", "4"]]),
        ('a\n"x, ""y"""\n', [["a"], ['x, "y"']]),
        ('a\n"two\r\nlines"\nb\n', [["a"], ["two\r\nlines"], ["b"]]),
        ('a\n\n   \n""\n ,\n', [["a"], [""]]),
        ('"a", "b"\n1, "x, y"\n', [["a", "b"], ["1", "x, y"]]),
        ("a, b\n1, 2\n", [["a", " b"], ["1", " 2"]]),
    ],
)
def test_records(text, records):
    assert read(text) == records


def test_text_may_come_in_pieces():
    assert read('a\n"two\n', "lines\n", 'and more"\nb\n') == [
        ["a"],
        ["two\nlines\nand more"],
        ["b"],
    ]


def test_unread_lines_are_the_rest():
    lines = Lines("a\nb\n", iter(["c\nd\n", ""]).__next__)
    assert [next(lines), next(lines), next(lines)] == ["a\n", "b\n", "c\n"]
    assert (lines.in_first_piece, lines.at, lines.last, lines.rest()) == (False, 3, "c\n", "d\n")


def test_lines_after_a_mark_are_read_again():
    lines = Lines("a\nb\n", iter(["c\nd\n", ""]).__next__)
    next(lines)
    lines.mark()
    assert [next(lines), next(lines)] == ["b\n", "c\n"]
    assert (lines.back(), lines.in_first_piece, lines.at) == ("b\n", False, 2)
    assert "".join(lines) == "c\nd\n"


def test_first_piece_ends_where_its_lines_do():
    lines = Lines("a\nb\n", iter(["c\n", ""]).__next__)
    assert [(next(lines), lines.in_first_piece) for _ in range(3)] == [
        ("a\n", True),
        ("b\n", False),
        ("c\n", False),
    ]


@pytest.mark.parametrize("line", ['a","', '"', '1,"', 'a"",""",'])
@pytest.mark.parametrize("end", ["", "x" * csv.field_size_limit(), '"x'])
def test_open_quotes_are_read_twice_at_most(line, end):
    """Reading on from each of these lines to the end took over a minute."""
    text = f"{line}\n" * 4_000 + end
    count = 0

    class Counted(Lines):
        def __next__(self):
            nonlocal count
            count += 1
            return super().__next__()

    list(read_records(Counted(text)))
    assert count <= 3 * 4_000


def test_record_without_an_end_is_given_up(monkeypatch):
    monkeypatch.setattr(csv_records, "LONGEST_RECORD", 30)
    fault, *records = read('"open\n' + "1,2\n" * 100)
    assert fault == Fault("is not valid CSV: a quote is not closed within 30 characters", ['"open'])
    assert records == [["1", "2"]] * 100


@pytest.mark.parametrize("blank", ["\n", "\r\n", ",,,\n", " , \t\n"])
def test_blank_lines_are_passed_over_quickly(blank):
    """Each as a record of its own took eleven seconds for 16 MB."""
    lines = Lines("1\n" + blank * 100_000, iter([blank * 9 + "2\n", ""]).__next__)
    started = time.process_time()
    assert list(read_records(lines)) == [["1"], ["2"]]
    assert time.process_time() - started < 0.5
    assert lines.at == 100_011


def test_lines_are_not_held():
    text = "1,2\n" * 50_000
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_records(Lines(text))) == 50_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # StringIO keeps four bytes for each character.
    assert peak < 5 * len(text)


@pytest.mark.parametrize(
    ("text", "cells", "after"),
    [
        ('"148"0,50\n1,2\n', '"148"0,50', [["1", "2"]]),
        ('"148,50\r\n1,2\n3,4\n', '"148,50', [["1", "2"], ["3", "4"]]),
        ('1,2\n"3', '"3', []),
    ],
)
def test_wrong_quote_costs_its_line_only(text, cells, after):
    found = read(text)
    (fault,) = [each for each in found if isinstance(each, Fault)]
    assert fault.detail.startswith("is not valid CSV: ")
    assert fault.cells == [cells]
    assert found[found.index(fault) + 1 :] == after


@pytest.mark.parametrize(
    ("record", "checked"),
    [
        (["1", "2", "3"], ["1", "2", "3"]),
        (["1", "2", "3", "", " "], ["1", "2", "3"]),
        (["1", "2", "3", "", "4"], Fault("has 5 fields, the header has 3", [*"123", "", "4"])),
        (["1"], Fault("has 1 field, the header has 3", ["1"])),
        (["1", "2"], Fault("has 2 fields, the header has 3", ["1", "2"])),
        (Fault("is torn", ["x"]), Fault("is torn", ["x"])),
    ],
)
def test_record_is_as_long_as_the_header(record, checked):
    assert check_length(record, ["a", "b", "c"]) == checked
