import numpy as np
import pandas as pd
import pytest

from pipeline.profiling.columns.names import is_body_measure
from pipeline.profiling.columns.sentinels import find_sentinels, stands_for_missing, suspicious

AGES = [21.0, 25, 28, 30, 33, 35, 41, 44, 52, 60]


def test_the_zeros_of_the_pima_table_are_found_where_they_are_none(pima_csv):
    table = pd.read_csv(pima_csv).astype(float)
    found = {
        name: find_sentinels(x.to_numpy(), of_a_body=is_body_measure(name)).missing
        for name, x in table.items()
    }
    zeros = {name for name, values in found.items() if values == [0.0]}
    assert zeros == {"Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"}
    assert {name for name in found if found[name]} == zeros


def test_many_zeros_are_amounts_but_in_a_measure_of_a_body():
    x = np.array([*AGES, *[0.0] * 10])
    assert find_sentinels(x) == ([], True)
    assert find_sentinels(x, of_a_body=True) == ([0.0], False)
    few = np.array([*AGES * 3, 0.0, 0.0])
    assert find_sentinels(few) == ([0.0], False)


def test_no_zero_of_the_breast_cancer_table_is_odd(breast_cancer_csv):
    table = pd.read_csv(breast_cancer_csv, index_col=0)
    assert [name for name, x in table.items() if suspicious(x.to_numpy(dtype=float))] == []


@pytest.mark.parametrize("value", [0.0, -1.0, -9.0, 99.0, 999.0, -999.0])
def test_a_repeated_value_far_beyond_the_others_is_found(value):
    assert suspicious(np.array([*AGES, value, value])) == [value]


def test_two_such_values_are_found_together():
    assert suspicious(np.array([*AGES, -999, -999, 999, 999])) == [-999, 999]


@pytest.mark.parametrize("value", [-200.0, -999.9, 8888.0, 1e6, 9999999.0])
def test_any_value_is_found_that_is_repeated_far_outside(value):
    assert suspicious(np.array([*AGES, value, value, value])) == [value]


def test_values_far_outside_on_both_sides_are_found_together():
    assert suspicious(np.array([*AGES, *[-5555.0] * 3, *[7777.0] * 4])) == [-5555, 7777]


@pytest.mark.parametrize(
    ("why", "x"),
    [
        ("it stands once", [*AGES, 999.0]),
        ("it is no usual one", [*AGES, 500.0, 500.0]),
        ("it is not so far", [*AGES, 160.0, 160.0, 160.0]),
        ("it stands twice", [*AGES, 8888.0, 8888.0]),
        ("it lies among the others", [-30.0, -20, 0, 0, *AGES]),
        ("it goes on where the others end", [0.0, 0, 0, 1, 2, 3, 4, 5, 6, 7]),
        ("the others are as far apart", [0.0, 0, 30, 60, 95, 130, 160, 200]),
        ("the gap is nothing beside the spread", [0.0, 0, 3, 4, 5, 6, 7, *range(100, 9000, 50)]),
        ("there is hardly another value", [0.0, 0, 0, 50, 60, 50, 60]),
    ],
)
def test_a_value_is_let_be_where(why, x):
    assert suspicious(np.array(x)) == []


def test_a_narrower_gap_is_enough_where_many_rows_have_the_value():
    others = [float(x) for x in range(20, 120)]  # the gap is 0.4 of their middle half
    assert suspicious(np.array([0.0] * 30 + others)) == [0.0]
    assert suspicious(np.array([0.0] * 3 + others)) == []


@pytest.mark.parametrize(
    "text", ["?", "-", "--", "...", "unknown", "Unknown", "n.a.", "#N/A", "na"]
)
def test_a_text_that_says_that_nothing_is_known(text):
    assert stands_for_missing(text)


@pytest.mark.parametrize("text", ["none", "no", "other", "a-b", "+", "0", "never", "north america"])
def test_a_text_that_says_something(text):
    assert not stands_for_missing(text)
