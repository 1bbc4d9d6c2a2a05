import numpy as np
import pandas as pd
import pytest

from pipeline.profiling.columns.column import Column, Left
from pipeline.profiling.columns.describe import describe

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
    cells = some(20, 25, 31, 38, 40, 44.5)
    cells[:9] = "0"
    column = describe("x", cells)
    assert column.missing_values == (0.0,)
    assert column.missing_because == "9 rows have 0, the others lie from 20 to 44.5"


def test_many_zeros_are_kept_and_told_with_the_line_to_change():
    column = describe("x", some(0, 20, 25, 31, 38, 40, 44.5))
    assert column.missing_values == ()
    assert column.note == (
        "29 rows (14%) have 0, the others lie from 20 to 44.5: kept as an amount; "
        "where 0 means not known, add missing_values: [0]"
    )
    assert describe("BMI", some(0, 20, 25, 31, 38, 40, 44.5)).missing_values == (0.0,)


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
        ("day", some("2024-01-31", "2024-02-01"), "is a date, such as '2024-01-31'; --date takes"),
        ("day", some("31.1.2024 12:00", "1.2.24"), "is a date, such as '31.1.2024 12:00'"),
        *(
            (name, text(range(5, 7 * ROWS, 7)), "is an identifier by its name, with 200 different")
            for name in ("id", "ID", "patient_id", "customer id", "CustomerID", "rowId", "userid")
        ),
        *(
            (name, text(range(5, 7 * ROWS, 7)), "is an identifier by its name, with 200 different")
            for name in ("EmployeeNumber", "order_no", "phone", "IBAN", "IdKunde", "CustomerNo")
        ),
        ("x", text(range(10**9, 10**9 * 3, 10**7)), "is an identifier: numbers of 10 digits"),
        ("x", text(f"P{row:05}" for row in range(ROWS)), "is an identifier, such as 'P00000'"),
        ("x", text(20230101 + RNG.integers(0, 28, ROWS)), "is a time as a number, such as '2023"),
        ("x", text(1_700_000_000 + RNG.integers(0, 10**6, ROWS)), "is a time as a number"),
        ("x", some("2023-05", "2024-11"), "is a month, such as '2023-05'"),
        ("x", some("Nov-23", "Mar-24"), "is a month, such as 'Nov-23'"),
        ("x", some("10:05", "23:59"), "is a time of day, such as '10:05'"),
        *(
            ("x", text(written.format(row) for row in range(ROWS)), "is not written as numbers are")
            for written in ("{}.1.2.3", "#{}")
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


@pytest.mark.parametrize("name", ["region_id", "zip", "dept_code", "Department", "Soil_Type"])
def test_few_whole_numbers_that_name_things_are_categories(name):
    column = describe(name, some(1, 2, 4, 8))
    assert (column.type, column.categories, column.is_code) == (
        *("category", ("1", "2", "4", "8")),
        True,
    )
    assert column.note == "has whole numbers that name things, by its name: each is a category"


def test_whole_numbers_with_leading_zeros_keep_them_as_categories():
    column = describe("x", some("007", "7", "12"))
    assert (column.type, column.categories) == ("category", ("007", "12", "7"))


@pytest.mark.parametrize("name", ["num_stores", "store_area", "number of shops", "x", "state_tax"])
def test_whole_numbers_of_other_names_are_amounts(name):
    assert describe(name, some(1, 2, 4, 8)) == Column(type="integer")


def test_two_numbers_are_the_same_as_two_categories_and_stay():
    assert describe("type", some(0, 1)) == Column(type="integer")


def test_text_is_a_category_where_most_rows_have_a_frequent_one():
    rare = [f"r{row}" for row in range(80)]
    column = describe("city", text([*["a", "b"] * 60, *rare]))
    assert (len(column.categories), column.unseen) == (82, "other")
    assert column.note == (
        "80 of them have fewer than 10 rows and are grouped, and new ones with them (unseen: other)"
    )
    assert isinstance(describe("city", text([*["a", "b"] * 39, *rare, "c"])), Left)


def test_few_consecutive_numbers_number_no_rows():
    assert describe("x", text([3, 1, 2])) == Column(type="integer")


def test_numbers_with_one_missing_number_no_rows():
    assert describe("x", text([*range(ROWS - 1), ROWS])) == Column(type="integer")
