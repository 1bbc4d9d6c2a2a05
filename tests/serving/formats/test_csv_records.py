"""CSV text becomes records; one that cannot be read takes no other with it."""

import pytest

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
    assert (lines.first, lines.at, lines.last, lines.rest()) == (2, 3, "c\n", "d\n")


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
