import numpy as np
import pandas as pd
import pytest

from pipeline.profiling.column import Column, Left, describe

ROWS = 200
RNG = np.random.default_rng(0)


def text(values):
    return pd.Series([str(value) for value in values], dtype="str")


def some(*values):
    """Repeat the values over all rows."""
    return text([values[row % len(values)] for row in range(ROWS)])


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (some(0.5, 1.5, 2.25), Column(type="number")),
        (some(1, 2, 3), Column(type="integer")),
        (some("1.0", "2.0", ""), Column(type="integer", nullable=True)),
        (some(0, 1), Column(type="integer")),
        (some("true", "FALSE", "0"), Column(type="boolean")),
        (some("True", "NA", "False"), Column(type="boolean", nullable=True)),
        (some("no", "yes"), Column(type="category", categories=("no", "yes"))),
        (some("b", "a", "null"), Column(type="category", categories=("a", "b"), nullable=True)),
        (some("0", "1", "2", "3+"), Column(type="category", categories=("0", "1", "2", "3+"))),
        (some("+", "-"), Column(type="category", categories=("+", "-"))),
    ],
)
def test_a_column_is_of_the_type_that_its_cells_say(cells, column):
    assert describe("x", cells) == column


def test_a_slip_of_the_pen_leaves_a_column_one_of_numbers():
    cells = text(RNG.normal(size=ROWS).round(6))
    cells[17] = "abc"
    assert describe("x", cells) == Column(type="number")
    counts = text([*range(9)] * 1000)
    counts[17] = "abc"
    assert describe("x", counts) == Column(type="integer")


def test_one_text_among_few_different_numbers_is_a_category_not_a_slip():
    cells = text([*([0, 1, 2] * ROWS), *["3+"] * 50])
    assert describe("x", cells) == Column(type="category", categories=("0", "1", "2", "3+"))


def test_a_question_mark_does_not_make_numbers_texts():
    cells = text(RNG.normal(size=ROWS).round(6))
    cells[::3] = "?"
    assert describe("x", cells) == Column(type="number", nullable=True)


def test_texts_that_stand_for_missing_are_no_categories_and_counted():
    assert describe("x", some("a", "?", "b", "unknown")) == Column(
        type="category",
        categories=("a", "b"),
        missing_values=("?", "unknown"),
        missing_because="50 rows have '?' and 50 rows have 'unknown'",
    )


def test_a_zero_that_stands_for_missing_is_told_with_what_it_is_beside():
    column = describe("x", some(0, 20, 25, 31, 38, 40, 44.5))
    assert column.missing_values == (0.0,)
    assert column.missing_because == "29 rows have 0, the others lie from 20 to 44.5"


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("x", some(""), "has no value"),
        ("x", some("a"), "has no other value than a"),
        ("x", some("1", "1.0", "NA"), "has no other value than 1.0"),
        ("x", some("true", "True"), "has no other value than 1.0"),
        ("x", text(range(3, ROWS + 3)), "numbers the rows, from 3 to 202"),
        ("x", text(RNG.permutation(ROWS)), "numbers the rows, from 0 to 199"),
        ("x", text(f"Mr {row}" for row in range(ROWS)), "is text, 200 different ones in 200 rows"),
        ("day", some("2024-01-31", "2024-02-01"), "is a date, such as '2024-01-31'; take a number"),
        ("day", some("31.1.2024 12:00", "1.2.24"), "is a date, such as '31.1.2024 12:00'"),
        *(
            (name, text(range(5, 7 * ROWS, 7)), "is an identifier by its name, with 200 different")
            for name in ("id", "ID", "patient_id", "customer id", "CustomerID", "rowId")
        ),
        *(
            ("x", text(written.format(row) for row in range(ROWS)), "is not written as numbers are")
            for written in ("{},5", "€{}.10", "{}00 EUR", "{}%", "1,{:03}.50")
        ),
    ],
)
def test_a_column_is_left_out_with_the_reason(name, cells, reason):
    left = describe(name, cells)
    assert isinstance(left, Left)
    assert left.reason.startswith(reason)
    assert not left.leak


@pytest.mark.parametrize("name", ["paid", "Grid", "fluid", "idle", "x"])
def test_a_name_that_only_ends_like_an_identifier_s_is_none(name):
    assert describe(name, text(range(5, 7 * ROWS, 7))) == Column(type="integer")


def test_few_different_numbers_identify_nothing_whatever_their_name():
    assert describe("region_id", some(1, 2, 4, 8)) == Column(type="integer")


def test_few_consecutive_numbers_number_no_rows():
    assert describe("x", text([3, 1, 2])) == Column(type="integer")


def test_numbers_with_one_missing_number_no_rows():
    assert describe("x", text([*range(ROWS - 1), ROWS])) == Column(type="integer")
