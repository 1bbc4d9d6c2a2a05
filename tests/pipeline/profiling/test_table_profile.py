import numpy as np
import pandas as pd
import pytest

from pipeline.profiling.table_profile import positive_class, profile

ROWS = 200
Y = np.arange(ROWS) % 4 == 0


@pytest.fixture
def looked_at():
    """Look at a table of the given columns, and of one that has nothing to do with the target."""

    def look(y=Y, **columns):
        noise = np.random.default_rng(1).normal(size=len(y)).round(6)
        table = {"noise": noise, **columns, "y": np.where(y, "yes", "no")}
        return profile(pd.DataFrame(table).astype(str), "y", y)

    return look


def test_each_column_but_the_target_and_the_index_is_a_feature_or_left_out(looked_at):
    found = looked_at(**{"": range(ROWS), "Unnamed: 0": range(ROWS), "a": Y * 0, "b": range(ROWS)})
    assert list(found.features) == ["noise"]
    assert list(found.ignored) == ["a", "b"]


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(np.where(Y, 7.5, 3) + np.arange(ROWS) / 1000, id="a number by its order"),
        pytest.param(np.where(Y, -7.5, 3) + np.arange(ROWS) / 1000, id="the other way round"),
        pytest.param(
            np.where(np.arange(ROWS) % 3, Y * 50 + 30 + np.arange(ROWS) % 7, 999),
            id="a number where it is known",
        ),
        pytest.param(np.where(Y, "gone", "here"), id="a category"),
        pytest.param(np.where(Y, "True", "False"), id="a boolean"),
        pytest.param(np.where(Y, "", np.arange(ROWS) % 7), id="what is absent where it is not"),
        pytest.param(np.where(Y, "?", np.where(np.arange(ROWS) % 3, "a", "b")), id="what is ?"),
    ],
)
def test_a_column_that_gives_the_target_away_is_left_out(looked_at, column):
    found = looked_at(leak=column)
    assert list(found.features) == ["noise"]
    assert found.ignored["leak"].leak
    assert found.ignored["leak"].reason == "alone predicts y (ROC AUC 1.000)"


def test_a_column_that_says_much_but_not_all_is_kept(looked_at):
    wrong = Y ^ (np.arange(ROWS) % 25 == 0)
    found = looked_at(good=np.where(wrong, "gone", "here"), number=wrong + np.arange(ROWS) / 1e6)
    assert list(found.features) == ["noise", "good", "number"]


def test_of_few_rows_a_perfect_order_may_be_chance(looked_at):
    y = np.arange(40) < 9
    found = looked_at(y=y, a=np.where(y, 2.5, 1), b=np.where(y, "b", "c"))
    assert list(found.features) == ["noise", "a", "b"]


def test_where_every_column_leaks_they_are_kept_and_that_is_told():
    table = pd.DataFrame({"a": Y + np.arange(ROWS) / 1000, "y": Y}).astype(str)
    found = profile(table, "y", Y)
    assert list(found.features) == ["a"]
    assert found.notes == (
        "column a: alone predicts y (ROC AUC 1.000), and is kept as no other is",
    )


def test_an_almost_constant_column_is_kept_and_told(looked_at):
    found = looked_at(a=["x"] * (ROWS - 2) + ["z"] * 2)
    assert "a" in found.features
    assert found.notes == ("column a: 99.0% of the rows have 'x': it can tell little",)


@pytest.mark.parametrize(
    ("counts", "positive", "because"),
    [
        ({0: 10, 1: 90}, 1, "which says yes"),
        ({-1: 10, 1: 90}, 1, "which says yes"),
        ({"No": 10, "Yes": 90}, "Yes", "which says yes"),
        ({"False": 10, "True": 90}, "True", "which says yes"),
        ({"neg": 10, "pos": 90}, "pos", "which says yes"),
        ({"stayed": 90, "left": 10}, "left", "the rarer class"),
        ({1: 90, 2: 10}, 2, "the rarer class"),
    ],
)
def test_the_positive_class_is_what_says_yes_or_the_rarer(counts, positive, because):
    assert positive_class(counts) == (positive, because)
